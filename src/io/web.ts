import { ReadableStream, WritableStream } from 'node:stream/web'
import type { AsyncFd } from './async-fd.js'
import { direction, endSending } from './calls.js'

const CHUNK = 65_536

/** See {@link AsyncFd.web}. */
export function toWeb(file: AsyncFd): {
  readable: ReadableStream<Uint8Array>
  writable: WritableStream<Uint8Array>
} {
  const { reads, writes } = direction(file.fd)
  // The object closes when both sides have ended; an abort or an error of either ends both.
  const open = new Set(['readable', 'writable'])
  const ended = async (side: string): Promise<void> => {
    open.delete(side)
    if (open.size === 0) await file.close()
  }

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
      const request = controller.byobRequest as ReadableStreamBYOBRequest
      const view = request.view as Uint8Array
      const count = await file.read(view)
      if (count > 0) {
        request.respond(count)
        return
      }
      controller.close()
      request.respond(0)
      await ended('readable')
    },
    async cancel() {
      await ended('readable')
    },
  })

  const writable = new WritableStream<Uint8Array>({
    async start(controller) {
      if (writes) return
      controller.error(new TypeError('this descriptor is open for reading only'))
      await ended('writable')
    },
    async write(chunk) {
      await file.write(chunk)
    },
    async close() {
      endSending(file.fd)
      await ended('writable')
    },
    async abort() {
      await file.close()
    },
  })
  return { readable, writable }
}

interface ReadableStreamBYOBRequest {
  readonly view: ArrayBufferView | null
  respond(bytes: number): void
}
