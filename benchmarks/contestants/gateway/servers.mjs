/** The servers that are compared, all with the same answer. */
import http from 'node:http'
import { readable } from 'fdevent'
import { gateway } from 'fdevent/wsgi'

const TEXT = 'hello, world'
const HEADERS = [['Content-Type', 'text/plain']]

function answer(res) {
  // Whoever knows the length says it, as the gateway does by itself.
  res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': '12' })
  res.end(TEXT)
}

/** Listeners of requests that are answered at once, or when `fd` is readable. */
export const listeners = {
  plain: () => (req, res) => answer(res),
  generator: () =>
    gateway(function* (environ, startResponse) {
      startResponse('200 OK', HEADERS)
      yield TEXT
    }),
  array: () =>
    gateway((environ, startResponse) => {
      startResponse('200 OK', HEADERS)
      return [TEXT]
    }),
  plainWaiting: (fd) => async (req, res) => {
    await readable(fd)
    answer(res)
  },
  generatorWaiting: (fd) =>
    gateway(function* (environ, startResponse) {
      yield environ['x-wsgiorg.fdevent.readable'](fd)
      startResponse('200 OK', HEADERS)
      yield TEXT
    }),
  asyncGeneratorWaiting: (fd) =>
    gateway(async function* (environ, startResponse) {
      yield environ['x-wsgiorg.fdevent.readable'](fd)
      startResponse('200 OK', HEADERS)
      yield TEXT
    }),
}

export function listen(name, fd) {
  const server = http.createServer(listeners[name](fd))
  return new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(server)))
}

// As a process of its own, by fork(): tells the port, and serves until whoever started it has ended.
if (process.argv[1] === import.meta.filename) {
  const server = await listen(process.argv[2])
  process.on('disconnect', () => process.exit(0))
  process.send(server.address().port)
}
