// Does somebody listen there? http://127.0.0.1:8080/localhost/80 looks the name up, then connects. The connection has a descriptor
// to wait for. The lookup has none, only a callback: `x-wsgiorg.suspend` makes of any callback something to wait for.
import { lookup } from 'node:dns'
import { constants } from 'node:os'
import { close, socketError } from 'fdevent/io'
import { connecting } from '../libc.mjs'

const PATIENCE = 3 // seconds, for each of both

/** The name's first IPv4 address. */
function* addressOf(environ, name) {
  let answer
  // Milliseconds here, by this call's own specification.
  const resume = environ['x-wsgiorg.suspend'](PATIENCE * 1000)
  lookup(name, { family: 4 }, (error, address) => {
    answer = { error, address }
    resume() // called too early, before the yield, it is not lost; called too late it does nothing
  })
  const resumed = yield ''
  if (!resumed) return { error: new Error(`no answer within ${PATIENCE} seconds`) }
  return answer
}

/** Undefined if there is a connection, or why there is none. */
function* refusal(environ, address, port) {
  const { fd, errno } = connecting(port, address)
  try {
    // A socket on its way is writable when it has arrived, or failed to.
    const settled = yield environ['x-wsgiorg.fdevent.writable'](fd, PATIENCE)
    if (!settled) return `no answer within ${PATIENCE} seconds`
    const failure = errno || socketError(fd)
    return failure === 0 ? undefined : Object.keys(constants.errno).find((name) => constants.errno[name] === failure)
  } finally {
    close(fd)
  }
}

export default function* connect(environ, startResponse) {
  const answer = (status, line) => {
    startResponse(status, [['Content-Type', 'text/plain']])
    return `${line}\n`
  }
  const [, name, digits] = /^\/([\w.-]+)\/(\d+)$/.exec(environ.PATH_INFO) ?? []
  const port = Number(digits)
  if (!(port > 0 && port < 65536)) return yield answer('400 Bad Request', 'ask for /NAME/PORT')

  const { error, address } = yield* addressOf(environ, name)
  if (error) return yield answer('502 Bad Gateway', `${name}: ${error.message}`)
  const reason = yield* refusal(environ, address, port)
  if (reason) return yield answer('502 Bad Gateway', `${name} is ${address}, port ${port}: ${reason}`)
  yield answer('200 OK', `${name} is ${address}, port ${port}: connected`)
}
