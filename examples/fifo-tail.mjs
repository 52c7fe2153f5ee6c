// Follow a fifo line by line, whoever writes to it: node examples/fifo-tail.mjs [PATH]
// Without a path it makes one and lets a child write three lines.
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readable } from 'fdevent'
import { read } from 'fdevent/io'

const given = process.argv[2]
const folder = given ? null : mkdtempSync(join(tmpdir(), 'fdevent-'))
const path = given ?? join(folder, 'fifo')
if (folder) {
  execFileSync('mkfifo', [path])
  spawn('sh', ['-c', `exec 3> ${path}; for n in 1 2 3; do echo line $n >&3; sleep 0.05; done`])
}

// Opened for reading without waiting for a writer. A fifo at rest is not readable; when its last writer has gone it is,
// and a read returns 0: the end.
const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
const buffer = new Uint8Array(4096)
const decoder = new TextDecoder()
let rest = ''
for (;;) {
  await readable(fd)
  const count = read(fd, buffer)
  if (count === 0) break
  const lines = (rest + decoder.decode(buffer.subarray(0, count), { stream: true })).split('\n')
  rest = lines.pop()
  for (const line of lines) console.log('>', line)
}
console.log('the last writer has gone')
closeSync(fd)
if (folder) rmSync(folder, { recursive: true })
