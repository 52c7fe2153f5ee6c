// Wait until a descriptor is readable, or until half a second has passed.
import { readable } from 'fdevent'
import { close, pipe, read, write } from 'fdevent/io'

const [reader, writer] = pipe()
setTimeout(() => write(writer, new TextEncoder().encode('hello')), 100)

const buffer = new Uint8Array(64)
while (await readable(reader, 0.5)) {
  const count = read(reader, buffer)
  if (count === 0) break // the end: readable, too
  console.log('read:', new TextDecoder().decode(buffer.subarray(0, count)))
}
console.log('nothing more for half a second')

close(reader)
close(writer)
