// A conversation with a child process over a socket pair: AsyncFd reads and writes without blocking anybody.
import { spawn } from 'node:child_process'
import { AsyncFd, close, socketpair, WOULD_BLOCK } from 'fdevent/io'
import { exited } from 'fdevent/process'

const [ours, theirs] = socketpair()
const child = spawn('sh', ['-c', 'while read line; do echo "you said: $line"; done; echo goodbye'], {
  stdio: [theirs, theirs, 'inherit'],
})
close(theirs) // the child has its own

const file = new AsyncFd(ours, { close: true })
const buffer = new Uint8Array(4096)
for (const line of ['hello', 'how are you']) {
  await file.write(new TextEncoder().encode(`${line}\n`))
  const count = await file.read(buffer, 5)
  process.stdout.write(buffer.subarray(0, count))
}
if ((await file.read(buffer, 0.1)) === WOULD_BLOCK) console.log('(silence for a tenth of a second)')

// From here on as a stream of Node. Its end() shuts down the sending half, which ends the child's input.
const stream = file.duplex()
stream.end()
for await (const chunk of stream) process.stdout.write(chunk)
console.log('the child has ended:', await exited(child.pid, 5))
