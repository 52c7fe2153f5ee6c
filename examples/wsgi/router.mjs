// Works on a request's body while it arrives, in pieces of at most 4,096 bytes, and never holds more of it than that:
//   curl -T big-file http://127.0.0.1:8080/sha256      (or /count, or /echo, which sends each piece back as it comes)
import { createHash } from 'node:crypto'

const PIECE = 4096
const SILENCE = 5 // seconds

/** By path: what is done with each piece, and what is said at the end. Both return what is to be sent, perhaps nothing. */
const routes = {
  '/count': () => {
    let [bytes, lines] = [0, 0]
    return {
      piece: (data) => {
        bytes += data.length
        for (const byte of data) lines += byte === 10
        return ''
      },
      end: () => `${bytes} bytes, ${lines} lines\n`,
    }
  },
  '/sha256': () => {
    const hash = createHash('sha256')
    return { piece: (data) => (hash.update(data), ''), end: () => `${hash.digest('hex')}\n` }
  },
  '/echo': () => ({ piece: (data) => data, end: () => '' }),
}

// The application is to start before the body is there; otherwise the gateway collects it first.
export const options = { input: 'streaming', maxBody: Infinity }

export default function* router(environ, startResponse) {
  const text = [['Content-Type', 'text/plain']]
  const make = Object.hasOwn(routes, environ.PATH_INFO) ? routes[environ.PATH_INFO] : undefined
  if (make === undefined) {
    startResponse('404 Not Found', text)
    return yield `there are: ${Object.keys(routes).join(' ')}\n`
  }
  const route = make()
  const input = environ['x-wsgiorg.async.input']
  startResponse('200 OK', text)
  for (;;) {
    // The value of the yield is whether there is something, as for a descriptor.
    if (!(yield environ['x-wsgiorg.async.readable'](input, SILENCE))) {
      // Legal while nothing has been sent: the error says what the earlier call is replaced for. If something has, it is thrown
      // again here, and the gateway cuts the connection, so that nobody takes what was sent for the whole.
      startResponse('408 Request Timeout', text, new Error(`no data for ${SILENCE} seconds`))
      return yield 'too slow\n'
    }
    const data = input.read(PIECE)
    if (data.length === 0) break // the end, and only the end
    // An empty string without a wait costs nothing: it lets other requests have a turn.
    yield route.piece(data)
  }
  yield route.end()
}
