// Runs a command, sends what it prints as it prints it, and says at the end how it ended: http://127.0.0.1:8080/count
import { spawn } from 'node:child_process'
import { close, pipe, read, setNonBlocking, WOULD_BLOCK } from 'fdevent/io'

const commands = {
  '/count': ['sh', '-c', 'for n in 1 2 3; do echo $n; sleep 0.2; done'],
  '/fail': ['sh', '-c', 'echo this goes wrong >&2; exit 3'],
  '/killed': ['sh', '-c', 'kill -9 $$'],
  '/much': ['head', '-c', '10000000', '/dev/zero'],
  '/endless': ['sh', '-c', 'echo $$; exec sleep 1000'],
  '/missing': ['no-such-command'],
}

export default function* child(environ, startResponse) {
  const command = Object.hasOwn(commands, environ.PATH_INFO) ? commands[environ.PATH_INFO] : undefined
  startResponse(command ? '200 OK' : '404 Not Found', [['Content-Type', 'text/plain']])
  if (command === undefined) return yield `there are: ${Object.keys(commands).join(' ')}\n`

  // A pipe of our own: Node would read the child's standard output itself, and then there is nothing left to wait for. The child's
  // end is to block, as programs expect of their output; that of this end is its own matter.
  const [output, end] = pipe()
  setNonBlocking(end, false)
  const [file, ...args] = command
  const running = spawn(file, args, { stdio: ['ignore', end, end] })
  close(end) // the child has its own
  let outcome
  const ended = new Promise((resolve) => {
    running.once('error', (error) => resolve((outcome = error.message)))
    running.once('exit', (code, signal) => resolve((outcome = signal ? `killed by ${signal}` : `exit status ${code}`)))
  })
  try {
    const buffer = new Uint8Array(65_536)
    for (;;) {
      yield environ['x-wsgiorg.fdevent.readable'](output)
      const count = read(output, buffer)
      if (count === 0) break // whoever had the other end has closed it
      if (count !== WOULD_BLOCK) yield buffer.slice(0, count)
    }
    // The end of the output is not yet that of the process, whose status Node tells in an event: no descriptor, but a callback.
    const resume = environ['x-wsgiorg.suspend']()
    ended.then(resume)
    yield ''
    yield `--- ${outcome}\n`
  } finally {
    // Also when the client has left.
    close(output)
    if (outcome === undefined) running.kill()
  }
}
