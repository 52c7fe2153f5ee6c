// A line a second, for as long as the client listens. The simplest wait there is: on a descriptor that never becomes ready, here a
// UDP socket that is bound to nothing, for as long as the timeout says.
import { close } from 'fdevent/io'
import { udpSocket } from '../libc.mjs'

const now = () => performance.now() / 1000 // seconds, and of a clock that nobody sets

export default function* clock(environ, startResponse) {
  const readable = environ['x-wsgiorg.fdevent.readable']
  const socket = udpSocket()
  try {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    const start = now()
    for (let line = 0; ; line += 1) {
      const late = 1000 * (now() - start - line)
      yield `${new Date().toISOString()} line ${line}, ${late.toFixed(1)} ms late\n`
      // Not one second each time: whatever a line is late would then be added to all that follow. The schedule stands from the
      // beginning, and what is waited for is what is left until the next line is due.
      yield readable(socket, Math.max(0, start + line + 1 - now()))
    }
  } finally {
    // When the client has gone the generator is closed, wherever it is suspended.
    close(socket)
  }
}
