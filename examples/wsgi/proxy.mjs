// A proxy: what is asked of it, it asks of its upstream by libcurl, and passes on as it comes. While the upstream thinks, nothing
// has been sent yet, so that the answer may still become a 504.
//   UPSTREAM=http://127.0.0.1:3000 node examples/wsgi/run.mjs proxy
import { STATUS_CODES } from 'node:http'
import { URL } from 'node:url'
import { now, Transfers } from './libcurl.mjs'

const PATIENCE = 2 // seconds until the upstream has begun, and then until it goes on

export default function* proxy(environ, startResponse) {
  const answer = (status, line) => {
    startResponse(status, [['Content-Type', 'text/plain']])
    return `${line}\n`
  }
  if (environ.REQUEST_METHOD !== 'GET') return yield answer('405 Method Not Allowed', 'this proxy only gets')

  // Only path and query are the client's to say.
  const { pathname, search } = new URL(environ.REQUEST_URI, 'http://upstream')
  const transfers = new Transfers()
  try {
    const upstream = transfers.get(`${process.env.UPSTREAM ?? 'http://127.0.0.1:3000'}${pathname}${search}`)
    const begun = () => upstream.done || upstream.pieces.length > 0
    for (const deadline = now() + PATIENCE; !begun();) {
      const inTime = yield* transfers.work(environ, deadline)
      if (!inTime && !begun()) return yield answer('504 Gateway Timeout', 'the upstream takes too long')
    }
    if (upstream.error && upstream.pieces.length === 0) return yield answer('502 Bad Gateway', upstream.error)

    const { status, type = 'application/octet-stream' } = upstream
    startResponse(`${status} ${STATUS_CODES[status] ?? 'Unknown'}`, [['Content-Type', type]])
    for (;;) {
      // Each piece is on its way to the client before the next is asked for: a slow client slows the upstream down.
      yield* upstream.pieces.splice(0)
      if (upstream.done) break
      if (!(yield* transfers.work(environ, now() + PATIENCE))) throw new Error('the upstream has fallen silent')
    }
    // Too late for another status: an error cuts the connection, so that nobody takes what was sent for the whole.
    if (upstream.error) throw new Error(upstream.error)
  } finally {
    transfers.close()
  }
}
