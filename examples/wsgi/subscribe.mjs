// Passes on what is published on a channel of Redis, to any number of clients, as server-sent events:
//   REDIS_PORT=6379 node examples/wsgi/run.mjs subscribe
//   curl -N http://127.0.0.1:8080/news &
//   redis-cli publish news hello
import { close, recv, send, socketError, WOULD_BLOCK } from 'fdevent/io'
import { connecting } from '../libc.mjs'
import { command, Replies } from './resp.mjs'

const PATIENCE = 3 // seconds

export default function* subscribe(environ, startResponse) {
  const channel = environ.PATH_INFO.slice(1)
  const client = environ['fdevent.request'].socket
  const { fd: redis, errno } = connecting(Number(process.env.REDIS_PORT ?? 6379))
  try {
    const settled = yield environ['x-wsgiorg.fdevent.writable'](redis, PATIENCE)
    if (!settled || (errno || socketError(redis)) !== 0) {
      startResponse('502 Bad Gateway', [['Content-Type', 'text/plain']])
      return yield 'Redis cannot be reached\n'
    }
    send(redis, command('SUBSCRIBE', channel)) // a new connection has room for that
    startResponse('200 OK', [['Content-Type', 'text/event-stream']])
    // Node would otherwise read, and have, what is waited for here. (Earlier it would begin again behind the request's end.)
    client.pause()
    const replies = new Replies()
    const buffer = new Uint8Array(65_536)
    for (;;) {
      // Whichever comes first: something from Redis, or from the client, who has nothing to say any more but that it is the end.
      // (A connection of HTTP/2 speaks for many requests: not for that.)
      const { readable } = yield environ['fdevent.select']([redis, client], [], [])
      if (readable.includes(client)) return
      const count = recv(redis, buffer)
      if (count === WOULD_BLOCK) continue
      if (count === 0) throw new Error('Redis has closed the connection')
      for (const [kind, , message] of replies.push(buffer.subarray(0, count))) {
        if (kind === 'subscribe') yield ': subscribed\n\n'
        if (kind === 'message') yield `${message.replace(/^/gm, 'data: ')}\n\n`
      }
    }
  } finally {
    close(redis)
    client.resume()
  }
}
