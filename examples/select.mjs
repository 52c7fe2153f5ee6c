// Wait for the first of several descriptors, as select(2) does: one wait, complete lists.
import { select } from 'fdevent'
import { close, pipe, read, write } from 'fdevent/io'

const names = ['apples', 'pears', 'plums']
const pipes = names.map((name) => {
  const [fd, writer] = pipe()
  return { name, fd, writer } // an object with a numeric `fd` is as good as the number, and comes back itself
})
for (const [index, { name, writer }] of pipes.entries()) {
  setTimeout(() => write(writer, new TextEncoder().encode(`${index + 1} ${name}`)), 40 * (3 - index))
}

const buffer = new Uint8Array(64)
for (;;) {
  const { readable } = await select(pipes, [], [], 0.3)
  if (readable.length === 0) break
  for (const one of readable) {
    console.log(`${one.name}:`, new TextDecoder().decode(buffer.subarray(0, read(one, buffer))))
  }
}
console.log('no more fruit')
for (const { fd, writer } of pipes) {
  close(fd)
  close(writer)
}
