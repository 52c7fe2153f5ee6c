// A page with the result of a query: http://127.0.0.1:8080/?seconds=1. While the database works on it, the request is suspended,
// and the one thread serves others: fifty such pages that sleep for a second are all there after little more than a second.
//   DATABASE_URL=postgresql://user@127.0.0.1/name node examples/wsgi/run.mjs postgres
import { URLSearchParams } from 'node:url'
import { connect, DatabaseError, finish, now, query, TooLate } from './libpq.mjs'

const PATIENCE = 3 // seconds
// PostgreSQL does not notice while it works that nobody waits any more; it is told to give up by itself, a little later.
const SETTINGS = `-c statement_timeout=${PATIENCE + 1}s`

const QUERY = `SELECT pg_sleep($1::float8), pg_backend_pid() AS backend, current_database() AS database, $2::text AS note`

export default function* postgres(environ, startResponse) {
  const asked = new URLSearchParams(environ.QUERY_STRING)
  const deadline = now() + PATIENCE
  const text = [['Content-Type', 'text/plain; charset=utf-8']]
  let connection
  try {
    connection = yield* connect(environ, process.env.DATABASE_URL ?? '', deadline, SETTINGS)
    const values = [asked.get('seconds') ?? '1', asked.get('note')]
    const rows = yield* query(environ, connection, QUERY, values, deadline)
    // Only now is it known which status it will be: nothing was sent while the request was suspended.
    startResponse('200 OK', text)
    for (const row of rows) yield `${JSON.stringify(row)}\n`
  } catch (error) {
    if (error instanceof TooLate) startResponse('504 Gateway Timeout', text)
    else if (error instanceof DatabaseError) startResponse('502 Bad Gateway', text)
    else throw error
    yield `${error.message}\n`
  } finally {
    // Here, too, when the client has left meanwhile.
    finish(connection)
  }
}
