// PostgreSQL's C library, by its calls that never block. Each of them wants its socket to be waited for now and then; that is done
// by the application's server, so these functions are generators, to be called with `yield*` and the request's `environ`.
import koffi from 'koffi'

// Deep: the library is to use the OpenSSL that it was built for, not the one inside Node.
const library = koffi.load(process.platform === 'darwin' ? 'libpq.5.dylib' : 'libpq.so.5', { deep: true })
koffi.opaque('PGconn')
koffi.opaque('PGresult')
const pq = {
  connectStart: library.func('PGconn *PQconnectStartParams(const char **names, const char **values, int expand)'),
  connectPoll: library.func('int PQconnectPoll(PGconn *connection)'),
  status: library.func('int PQstatus(const PGconn *connection)'),
  socket: library.func('int PQsocket(const PGconn *connection)'),
  setNonBlocking: library.func('int PQsetnonblocking(PGconn *connection, int on)'),
  sendQuery: library.func(
    'int PQsendQueryParams(PGconn *connection, const char *text, int count, void *types, const char **values, void *lengths, void *formats, int format)',
  ),
  flush: library.func('int PQflush(PGconn *connection)'),
  consumeInput: library.func('int PQconsumeInput(PGconn *connection)'),
  isBusy: library.func('int PQisBusy(PGconn *connection)'),
  getResult: library.func('PGresult *PQgetResult(PGconn *connection)'),
  errorMessage: library.func('const char *PQerrorMessage(const PGconn *connection)'),
  resultStatus: library.func('int PQresultStatus(const PGresult *result)'),
  resultMessage: library.func('const char *PQresultErrorMessage(const PGresult *result)'),
  rows: library.func('int PQntuples(const PGresult *result)'),
  columns: library.func('int PQnfields(const PGresult *result)'),
  name: library.func('const char *PQfname(const PGresult *result, int column)'),
  value: library.func('const char *PQgetvalue(const PGresult *result, int row, int column)'),
  isNull: library.func('int PQgetisnull(const PGresult *result, int row, int column)'),
  clear: library.func('void PQclear(PGresult *result)'),
  finish: library.func('void PQfinish(PGconn *connection)'),
}
// Of the library's header.
const CONNECTION_BAD = 1
const POLLING_READING = 1
const POLLING_WRITING = 2
const POLLING_OK = 3
const COMMAND_OK = 1
const TUPLES_OK = 2

/** The database, or the way to it, failed. */
export class DatabaseError extends Error {}
/** The deadline has passed. */
export class TooLate extends Error {}

export const now = () => performance.now() / 1000

/**
 * A connection, to be given to `finish`. `conninfo`: 'host=... dbname=...' or a URI, empty for what the PG* variables say; hosts
 * should be addresses or folders of UNIX sockets, since the library blocks while it looks up a name. `deadline`: as `now()` counts.
 */
export function* connect(environ, conninfo, deadline, settings = '') {
  const names = ['dbname', 'options', 'client_encoding', null]
  const connection = pq.connectStart(names, [conninfo, settings, 'UTF8', null], 1)
  let connected = false
  try {
    if (connection === null) throw new DatabaseError('out of memory')
    if (pq.status(connection) === CONNECTION_BAD) throw failure(connection)
    for (let state = POLLING_WRITING; state !== POLLING_OK; state = pq.connectPoll(connection)) {
      if (state !== POLLING_READING && state !== POLLING_WRITING) throw failure(connection)
      // Asked for each time: on its way through several addresses the library changes its socket.
      const list = [pq.socket(connection)]
      yield* ready(environ, state === POLLING_READING ? list : [], state === POLLING_WRITING ? list : [], deadline)
    }
    pq.setNonBlocking(connection, 1)
    connected = true
    return connection
  } finally {
    // Also when the client leaves, which ends a generator without an error.
    if (!connected) finish(connection)
  }
}

/** The rows, as objects of strings and nulls. `values`: strings for the query's $1, $2, ... */
export function* query(environ, connection, text, values, deadline) {
  const sent = pq.sendQuery(connection, text, values.length, null, values, null, null, 0)
  if (sent === 0) throw failure(connection)
  const list = [pq.socket(connection)]
  for (let left = pq.flush(connection); left !== 0; left = pq.flush(connection)) {
    if (left < 0) throw failure(connection)
    // The server may have to get rid of something before it takes more: both directions at once.
    const { readable } = yield* ready(environ, list, list, deadline)
    if (readable.length > 0 && pq.consumeInput(connection) === 0) throw failure(connection)
  }
  let rows
  for (;;) {
    while (pq.isBusy(connection) !== 0) {
      yield* ready(environ, list, [], deadline)
      if (pq.consumeInput(connection) === 0) throw failure(connection)
    }
    // There is a last one, null, behind each query's; to be taken before the next query.
    const result = pq.getResult(connection)
    if (result === null) return rows
    try {
      rows = toRows(result)
    } finally {
      pq.clear(result)
    }
  }
}

export function finish(connection) {
  if (connection) pq.finish(connection)
}

function* ready(environ, read, write, deadline) {
  const found = yield environ['fdevent.select'](read, write, [], Math.max(0, deadline - now()))
  if (environ['x-wsgiorg.fdevent.timeout'].expired) throw new TooLate('the database took too long')
  return found
}

function toRows(result) {
  const status = pq.resultStatus(result)
  if (status !== TUPLES_OK && status !== COMMAND_OK) throw new DatabaseError(pq.resultMessage(result).trim())
  const names = Array.from({ length: pq.columns(result) }, (_, column) => pq.name(result, column))
  return Array.from({ length: pq.rows(result) }, (_, row) =>
    Object.fromEntries(
      names.map((name, column) => [name, pq.isNull(result, row, column) ? null : pq.value(result, row, column)]),
    ),
  )
}

const failure = (connection) => new DatabaseError(pq.errorMessage(connection).trim())
