// A fifo on the web: GET streams whatever anybody writes to it, POST writes to it what the client sends.
//   curl -N http://127.0.0.1:8080/ &
//   curl -d 'hello' http://127.0.0.1:8080/        or simply: echo hello > $FIFO
import { constants, openSync } from 'node:fs'
import { close, read, write, WOULD_BLOCK } from 'fdevent/io'

const text = [['Content-Type', 'text/plain']]
const path = () => process.env.FIFO ?? '/tmp/fifo' // made with mkfifo(1)

// Each line goes to one reader: that is what a fifo is.
function* tail(environ, startResponse) {
  const fd = openSync(path(), constants.O_RDONLY | constants.O_NONBLOCK)
  // A writer of our own, which writes nothing. Without it the fifo would be at its end, and so always readable, from the moment
  // the last writer leaves until the next one comes.
  const keep = openSync(path(), constants.O_WRONLY | constants.O_NONBLOCK)
  try {
    startResponse('200 OK', text)
    yield '--- listening\n' // the first piece takes the headers along
    const buffer = new Uint8Array(4096)
    for (;;) {
      yield environ['x-wsgiorg.fdevent.readable'](fd)
      const count = read(fd, buffer)
      // Another reader may have been faster.
      if (count !== WOULD_BLOCK) yield buffer.slice(0, count)
    }
  } finally {
    close(keep)
    close(fd)
  }
}

function* echo(environ, startResponse) {
  let fd
  try {
    fd = openSync(path(), constants.O_WRONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (error.code !== 'ENXIO') throw error
    startResponse('503 Service Unavailable', text)
    return yield 'nobody reads the fifo\n'
  }
  try {
    const body = environ['wsgi.input'].read()
    for (let sent = 0; sent < body.length;) {
      if (!(yield environ['x-wsgiorg.fdevent.writable'](fd, 3))) {
        startResponse('504 Gateway Timeout', text)
        return yield `the fifo is full; ${sent} of ${body.length} bytes went\n`
      }
      const count = write(fd, body, sent)
      if (count !== WOULD_BLOCK) sent += count
    }
    startResponse('200 OK', text)
    yield `${body.length} bytes written\n`
  } finally {
    close(fd)
  }
}

export default function fifo(environ, startResponse) {
  return environ.REQUEST_METHOD === 'POST' ? echo(environ, startResponse) : tail(environ, startResponse)
}
