// Middleware around applications that suspend themselves. The rule: pass every empty string on, and the value of the yield back.
// `yield*` does both; a loop of one's own has to.
import http from 'node:http'
import { close, pipe, read, write } from 'fdevent/io'
import { gateway, outcome } from 'fdevent/wsgi'

const [r, w] = pipe()

// Waits may be nested: a generator that waits is called with `yield*`.
function* readLine(environ, fd) {
  const ready = yield* outcome(environ['x-wsgiorg.fdevent.readable'](fd, 1.0))
  if (!ready) return undefined
  const buffer = new Uint8Array(64)
  return new TextDecoder().decode(buffer.subarray(0, read(fd, buffer)))
}

function* application(environ, startResponse) {
  const line = yield* readLine(environ, r)
  startResponse(line === undefined ? '504 Gateway Timeout' : '200 OK', [['Content-Type', 'text/plain']])
  yield `read: ${line}\n`
}

// What changes nothing of the body: `yield*`, which forwards empty strings, values, errors and the end.
function withLog(inner) {
  return function* (environ, startResponse) {
    console.log('begins')
    try {
      yield* inner(environ, (status, headers, excInfo) =>
        startResponse(status, [...headers, ['X-Logged', 'yes']], excInfo),
      )
    } finally {
      console.log('ends')
    }
  }
}

// What changes the body: a loop, with the same four duties.
function inUpperCase(inner) {
  return function* (environ, startResponse) {
    const iterator = inner(environ, startResponse)[Symbol.iterator]()
    try {
      for (let step = iterator.next(); step.done !== true;) {
        let value
        try {
          value = yield step.value.toUpperCase() // the empty string stays one
        } catch (error) {
          step = iterator.throw(error) // a wait failed
          continue
        }
        step = iterator.next(value)
      }
    } finally {
      iterator.return?.()
    }
  }
}

const server = http.createServer(gateway(withLog(inUpperCase(application)))).listen(0, '127.0.0.1')
server.once('listening', async () => {
  setTimeout(() => write(w, new TextEncoder().encode('hello')), 50)
  const response = await fetch(`http://127.0.0.1:${server.address().port}/`)
  console.log(response.status, response.headers.get('x-logged'), (await response.text()).trim())
  server.close()
  close(r)
  close(w)
})
