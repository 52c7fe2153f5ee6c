// What `npm start` runs: seven waits on real descriptors, one after the other, then all kinds at once.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, promises, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { constants as os, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { readable, select, writable } from 'fdevent'
import { close, pipe, read, socketError, write } from 'fdevent/io'
import { connecting, inotify, timerfd } from './libc.mjs'

const folder = mkdtempSync(join(tmpdir(), 'fdevent-demo-'))
const buffer = new Uint8Array(4096)
const received = (fd) => JSON.stringify(new TextDecoder().decode(buffer.subarray(0, read(fd, buffer))))
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(4)} s`

console.log(`fdevent on ${process.platform} ${release()}, Node ${process.version}\n`)
console.log(`${'waiting for'.padEnd(64)}${'after'.padStart(10)}   what came`)

/** Prints what is waited for, waits, and prints what came. */
async function show(what, wait, describe) {
  process.stdout.write(what.padEnd(64))
  const start = performance.now()
  const outcome = await wait()
  console.log(`${seconds(start).padStart(10)}   ${describe(outcome)}`)
}

// 1. A fifo, opened for reading as the program that tails it would.
const fifo = join(folder, 'fifo')
execFileSync('mkfifo', [fifo])
const fifoFd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
spawn('sh', ['-c', `sleep 0.3; echo hello from the child > ${fifo}`])
await show(
  'readable(fifo, 2): a child writes to it in 0.3 s',
  () => readable(fifoFd, 2),
  (ready) => (ready ? received(fifoFd) : 'nothing'),
)
closeSync(fifoFd)

// 2. A socket that belongs to Node; paused, or Node would have read the data before anybody could see it waiting.
const server = net.createServer((peer) => setTimeout(() => peer.end('hello from the server'), 200))
await once(server.listen(0, '127.0.0.1'), 'listening')
const socket = net.connect(server.address().port, '127.0.0.1').pause()
await once(socket, 'connect')
let answer
await show(
  'readable(net.Socket, 2): its server answers in 0.2 s',
  async () => {
    const ready = await readable(socket, 2)
    ;[answer] = await once(socket.resume(), 'data')
    return ready
  },
  (ready) => (ready ? JSON.stringify(answer.toString()) : 'nothing'),
)
await once(socket, 'close')
server.close()

// 3. and 4. Descriptors of the kernel's own.
const timer = timerfd(0.25)
await show(
  'readable(timerfd): it expires in 0.25 s',
  () => readable(timer),
  (ready) => (ready ? `${read(timer, buffer, 0, 8)} bytes: the number of expirations` : 'nothing'),
)
close(timer)
const watched = inotify(folder)
setTimeout(() => writeFileSync(join(folder, 'new-file'), 'x'), 100)
await show(
  'readable(inotify, 2): a file is created in 0.1 s',
  () => readable(watched, 2),
  (ready) => (ready ? `${read(watched, buffer)} bytes of struct inotify_event` : 'nothing'),
)
close(watched)

// 5. Nothing comes.
const [quiet, quietEnd] = pipe()
await show(
  'readable(quiet pipe, 0.25)',
  () => readable(quiet, 0.25),
  (ready) => (ready ? 'data?' : 'false: the time has passed, and not a microsecond less'),
)

// 6. What other pollers refuse: select(2) calls a regular file always ready.
const file = await promises.open(join(folder, 'new-file'))
await show(
  'readable(regular file, 2)',
  () => readable(file, 2),
  (ready) => (ready ? 'true: always ready' : 'nothing'),
)
await file.close()

// 7. A connection attempt ends, and SO_ERROR says how.
const unused = net.createServer()
await once(unused.listen(0, '127.0.0.1'), 'listening')
const { port } = unused.address()
await once(unused.close(), 'close')
const attempt = connecting(port)
await show(
  'writable(connecting socket, 2): nobody listens there',
  () => writable(attempt.fd, 2),
  () => {
    const refused = (attempt.errno || socketError(attempt.fd)) === os.errno.ECONNREFUSED
    return refused ? 'the attempt has ended: ECONNREFUSED' : 'connected?'
  },
)
close(attempt.fd)

// All kinds at once, as select(2) would: the complete lists of what is ready.
const [reply, question] = pipe()
setTimeout(() => write(question, new TextEncoder().encode('!')), 150)
await show(
  'select([quiet, reply], [], [], 2): one of them in 0.15 s',
  () => select([quiet, reply], [], [], 2),
  (lists) => `readable: [${lists.readable.map((fd) => (fd === reply ? 'reply' : 'quiet'))}]`,
)
for (const fd of [quiet, quietEnd, reply, question]) close(fd)
rmSync(folder, { recursive: true })
console.log('\nEvery descriptor above was waited for by number. Next: the small programs in examples/.')
