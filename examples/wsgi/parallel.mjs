// Fetches several paths of the upstream at the same time by libcurl, in one request and without a thread, and tells of each when it
// is there: http://127.0.0.1:8080/?path=/a&path=/b&path=/c
//   UPSTREAM=http://127.0.0.1:3000 node examples/wsgi/run.mjs parallel
import { URLSearchParams } from 'node:url'
import { now, Transfers } from './libcurl.mjs'

const PATIENCE = 5 // seconds

export default function* parallel(environ, startResponse) {
  const upstream = process.env.UPSTREAM ?? 'http://127.0.0.1:3000'
  const paths = new URLSearchParams(environ.QUERY_STRING).getAll('path').filter((path) => path.startsWith('/'))
  const start = now()
  const transfers = new Transfers()
  try {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    const running = new Map(paths.map((path) => [transfers.get(upstream + path), path]))
    while (running.size > 0) {
      const inTime = yield* transfers.work(environ, start + PATIENCE)
      for (const [transfer, path] of running) {
        if (inTime && !transfer.done) continue
        running.delete(transfer)
        const seconds = (now() - start).toFixed(2)
        const bytes = transfer.pieces.reduce((sum, piece) => sum + piece.length, 0)
        const outcome = !transfer.done ? 'too late' : (transfer.error ?? `${transfer.status}, ${bytes} bytes`)
        yield `${seconds} s ${path}: ${outcome}\n`
      }
    }
  } finally {
    transfers.close()
  }
}
