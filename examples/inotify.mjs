// Linux: watch a folder by its inotify descriptor, which Node's own fs.watch keeps to itself.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readable } from 'fdevent'
import { close, read } from 'fdevent/io'
import { inotify } from './libc.mjs'

const folder = mkdtempSync(join(tmpdir(), 'fdevent-'))
const fd = inotify(folder)
setTimeout(() => writeFileSync(join(folder, 'a.txt'), ''), 50)
setTimeout(() => writeFileSync(join(folder, 'b.txt'), ''), 100)

const buffer = new Uint8Array(4096)
while (await readable(fd, 0.3)) {
  const count = read(fd, buffer)
  const view = new DataView(buffer.buffer, 0, count)
  // struct inotify_event: int wd; uint32_t mask, cookie, len; char name[len]
  for (let at = 0; at < count;) {
    const length = view.getUint32(at + 12, true)
    const name = new TextDecoder().decode(buffer.subarray(at + 16, at + 16 + length)).replace(/\0+$/, '')
    console.log('created:', name)
    at += 16 + length
  }
}
console.log('quiet')
close(fd)
rmSync(folder, { recursive: true })
