/**
 * The clients, in a process of their own, so that the server's figures are the server's alone.
 *
 * `clients.mjs load PORT CONNECTIONS SECONDS keep|close`: asks again as soon as there is an answer; prints how often in one second.
 * By fork(): `{ open: N, port, path }` asks once on each of N connections and tells `asked`, then, when all are there, `answered`.
 */
import net from 'node:net'
import { performance } from 'node:perf_hooks'

// Opened so many at a time, so that no listening socket's queue overflows, which costs a second.
const AT_ONCE = 200
// Of a body whose length was known, and of one in pieces.
const ENDS = ['hello, world', '0\r\n\r\n']

const request = (path, how) =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${how === 'close' ? 'Connection: close\r\n' : ''}\r\n`

const connect = (port, act) =>
  new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(socket)).setNoDelay()
    socket.on('error', reject).setEncoding('latin1')
    act(socket)
  })

function onAnswer(socket, act) {
  let text = ''
  socket.on('data', (data) => {
    text += data
    if (!ENDS.some((end) => text.endsWith(end))) return
    text = ''
    act()
  })
}

async function load(port, connections, seconds, how) {
  const text = request('/', how)
  const until = performance.now() + seconds * 1000
  let answers = 0
  const one = () =>
    connect(port, (socket) => {
      onAnswer(socket, () => {
        answers += 1
        if (performance.now() > until) socket.destroy()
        else if (how === 'keep') socket.write(text)
        else socket.destroy() && one()
      })
    }).then((socket) => socket.write(text))
  await Promise.all(Array.from({ length: connections }, one))
  await new Promise((resolve) => setTimeout(resolve, until - performance.now()))
  console.log(answers / seconds)
  process.exit(0)
}

async function open(count, port, path) {
  const text = request(path)
  const sockets = []
  let answered = 0
  let tell
  const all = new Promise((resolve) => (tell = resolve))
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () =>
      connect(port, (socket) => onAnswer(socket, () => (answered += 1) === count && tell())),
    )
    for (const socket of await Promise.all(some)) {
      socket.write(text)
      sockets.push(socket)
    }
  }
  process.send('asked')
  await all
  process.send('answered')
  for (const socket of sockets) socket.destroy()
}

if (process.argv[2] === 'load') {
  const [port, connections, seconds] = process.argv.slice(3, 6).map(Number)
  await load(port, connections, seconds, process.argv[6])
} else {
  process.on('disconnect', () => process.exit(0))
  process.on('message', ({ open: count, port, path }) => open(count, port, path))
}
