// Three ways to end a wait that nothing answers: a timeout, a signal, and closing the descriptor.
import { readable } from 'fdevent'
import { close, pipe } from 'fdevent/io'

const [reader, writer] = pipe()

console.log('timeout:', await readable(reader, 0.05))

const controller = new AbortController()
setTimeout(() => controller.abort(new Error('changed my mind')), 50)
await readable(reader, { signal: controller.signal }).catch((error) => {
  console.log('signal:', error.code, '-', error.cause.message)
})

// close() of fdevent/io tells the waits first. Who closes a descriptor by other means calls closing(fd) just before.
setTimeout(() => close(reader), 50)
await readable(reader).catch((error) => console.log('closed:', error.code))
close(writer)
