// A connection attempt by a C library's rules: start it, wait until the socket is writable, ask SO_ERROR.
import { once } from 'node:events'
import net from 'node:net'
import { constants } from 'node:os'
import { writable } from 'fdevent'
import { close, socketError } from 'fdevent/io'
import { connecting } from './libc.mjs'

async function attempt(port) {
  const { fd, errno } = connecting(port)
  try {
    if (!(await writable(fd, 2))) return 'no answer within two seconds'
    const error = errno || socketError(fd)
    return error === 0 ? 'connected' : Object.keys(constants.errno).find((name) => constants.errno[name] === error)
  } finally {
    close(fd)
  }
}

const server = net.createServer((socket) => socket.on('error', () => {}).end())
await once(server.listen(0, '127.0.0.1'), 'listening')
const { port } = server.address()
console.log('somebody listens:', await attempt(port))
await once(server.close(), 'close')
console.log('nobody listens:', await attempt(port))
