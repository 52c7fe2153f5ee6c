import { Duplex, type DuplexOptions } from 'node:stream'
import type { AsyncFd } from './async-fd.js'
import { direction, endSending } from './calls.js'
import { isEnd } from './terminal.js'

const CHUNK = 65_536
/** A chunk that fills less of the buffer than this is copied out, and the buffer used again. */
const WORTH_KEEPING = CHUNK / 2

/** See {@link AsyncFd.duplex}. */
export function toDuplex(file: AsyncFd): Duplex {
  const { reads, writes } = direction(file.fd)
  let buffer: Buffer | undefined

  // The types lack the two options that make a Duplex one-sided.
  const sides: DuplexOptions & { readable: boolean; writable: boolean } = { readable: reads, writable: writes }
  const duplex: Duplex = new Duplex({
    ...sides,
    read() {
      const target = (buffer ??= Buffer.allocUnsafeSlow(CHUNK))
      file.read(target).then(
        (count) => {
          if (duplex.destroyed) return
          if (count === 0) {
            duplex.push(null)
          } else if (count < WORTH_KEEPING) {
            duplex.push(Buffer.from(target.subarray(0, count)))
          } else {
            buffer = undefined
            duplex.push(target.subarray(0, count))
          }
        },
        (error: Error) => {
          if (isEnd(error, file.fd)) duplex.push(null)
          else duplex.destroy(error)
        },
      )
    },
    write(chunk: Buffer, _encoding, done) {
      file.write(chunk).then(() => done(), done)
    },
    writev(chunks, done) {
      file.write(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer))).then(() => done(), done)
    },
    final(done) {
      try {
        // Closed from outside, its number may be anybody's.
        if (!file.closed) endSending(file.fd)
        done()
      } catch (error) {
        done(error as Error)
      }
    },
    destroy(error, done) {
      file.close().then(
        () => done(error),
        (failed: Error) => done(error ?? failed),
      )
    },
  })
  return duplex
}
