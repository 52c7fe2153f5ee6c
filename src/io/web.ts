import { ReadableStream, WritableStream } from 'node:stream/web'
import type { AsyncFd } from './async-fd.js'
import { direction, endSending } from './calls.js'
import { isEnd } from './terminal.js'

const CHUNK = 65_536

/** The part of a byte stream's request that is used here. */
interface Request {
  readonly view: Uint8Array
  respond(bytes: number): void
}

/** See {@link AsyncFd.web}. */
export function toWeb(file: AsyncFd): {
  readable: ReadableStream<Uint8Array>
  writable: WritableStream<Uint8Array>
} {
  const { reads, writes } = direction(file.fd)
  // The object closes when both sides have ended; an error or an abort of either ends both.
  const open = new Set(['readable', 'writable'])
  const ended = async (side: string): Promise<void> => {
    open.delete(side)
    if (open.size === 0) await file.close()
  }
  const failed = async (error: unknown): Promise<never> => {
    await file.close()
    throw error
  }
  // A read that is pending when nobody wants it any more must not take data away.
  const cancelled = new AbortController()

  const readable = new ReadableStream({
    type: 'bytes',
    autoAllocateChunkSize: CHUNK,
    async start(controller) {
      if (reads) return
      controller.close()
      await ended('readable')
    },
    async pull(controller) {
      // With autoAllocateChunkSize there is one for every pull.
      const request = controller.byobRequest as unknown as Request
      const count = await file.read(request.view, null, { signal: cancelled.signal }).catch((error: unknown) => {
        if (cancelled.signal.aborted || isEnd(error, file.fd)) return 0
        return failed(error)
      })
      if (cancelled.signal.aborted) return
      if (count > 0) {
        request.respond(count)
        return
      }
      controller.close()
      request.respond(0)
      await ended('readable')
    },
    async cancel() {
      cancelled.abort()
      await ended('readable')
    },
  })

  const writable = new WritableStream<Uint8Array>({
    async start(controller) {
      if (writes) return
      controller.error(new TypeError('this descriptor is open for reading only'))
      await ended('writable')
    },
    async write(chunk, controller) {
      await file.write(chunk, null, { signal: (controller as unknown as { signal: AbortSignal }).signal }).catch(failed)
    },
    async close() {
      // Closed from outside, its number may be anybody's.
      if (!file.closed) endSending(file.fd)
      await ended('writable')
    },
    async abort() {
      await file.close()
    },
  })
  return { readable, writable }
}
