import type { Duplex } from 'node:stream'
import type { ReadableStream, WritableStream } from 'node:stream/web'
import { onAbort } from '../abort.js'
import { failure } from '../binding.js'
import { AbortError, badDescriptor, FdError, invalidType, outOfRange } from '../errors.js'
import { type FdLike, fileno } from '../fileno.js'
import { isOptions, toOptions, type WaitOptions } from '../options.js'
import * as reactor from '../reactor.js'
import { PRIORITY, READABLE, WRITABLE } from '../readiness.js'
import { type Seconds, toSeconds } from '../seconds.js'
import * as calls from './calls.js'
import { toDuplex } from './duplex.js'
import { isEnd } from './terminal.js'
import { toWeb } from './web.js'

export interface AsyncFdOptions {
  /** Whether {@link AsyncFd.close} also closes the descriptor. Default `false`: it belongs to whoever opened it. */
  close?: boolean | undefined
  /** Closes this object when aborted; what is pending rejects with an `AbortError`. */
  signal?: AbortSignal | undefined
}

/** One call transfers at most this much, which is less than what an Int32 counts. */
const MOST = 2 ** 31 - 2
const CHUNK = 65_536

const END = Symbol('end')

// Constants, as in reactor.ts.
const { streamRead, streamWrite } = reactor.native

// Who drops the object without closing it cannot close it any more; a wait that is pending holds it.
const dropped = new FinalizationRegistry<() => void>((release) => release())

/** What ends the registration from outside holds the object weakly. The function returned gives everything back. */
function attach(
  file: WeakRef<AsyncFd>,
  fd: number,
  stream: number | undefined,
  signal: AbortSignal | undefined,
): () => void {
  const withdraw = reactor.beforeClose(fd, () => file.deref()?.[END]())
  // There is nobody to tell that a close on behalf of the signal has failed.
  const unsubscribe =
    signal &&
    onAbort(
      signal,
      () =>
        void file
          .deref()
          ?.close()
          .catch(() => {}),
    )
  return () => {
    withdraw()
    unsubscribe?.()
    if (stream !== undefined) reactor.interrupt(reactor.native.streamClose(stream), fd, signal)
  }
}

/**
 * A descriptor to read and write: registered once, after which waiting costs no system call beside the event loop's own.
 *
 * A call is tried first and waits only if it would block; a read that had to wait is performed where the event arrives, so
 * the data is in the buffer before any JavaScript runs. The descriptor's flags stay as they are: on a blocking descriptor
 * every call is preceded by a look (poll(2)), and writes go in pieces of 4,096 bytes.
 *
 * Concurrent reads are served in their order, and so are concurrent writes, whose bytes never mix. Waits by
 * {@link readable}, watchers and other users of the descriptor are independent of this object, but whoever reads first has the
 * data.
 *
 * While it is open, do not close the descriptor without {@link AsyncFd.close} or `closing(fd)`.
 */
export class AsyncFd implements AsyncDisposable, AsyncIterable<Uint8Array> {
  /** The descriptor's number. */
  readonly fd: number
  readonly #closesFd: boolean
  readonly #signal: AbortSignal | undefined
  // undefined: not pollable, and so always ready: a regular file.
  readonly #stream: number | undefined
  readonly #release: () => void
  #closed = false
  #duplex: Duplex | undefined
  #web: { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> } | undefined

  /**
   * @throws FdError `EBADF`: not open. TypeError, RangeError: as by `fileno`.
   * @throws AbortError the signal is aborted already.
   */
  constructor(fd: FdLike, options: AsyncFdOptions = {}) {
    if (!isOptions(options)) throw invalidType('options', 'an object', options)
    const { signal } = toOptions({ signal: options.signal })
    const { close = false } = options
    if (typeof close !== 'boolean') throw invalidType('options.close', 'a boolean', close)
    if (signal?.aborted) throw new AbortError(signal.reason)
    this.fd = fileno(fd)
    this.#closesFd = close
    this.#signal = signal
    const stream = reactor.native.streamOpen(this.fd)
    if (stream >= 0) {
      this.#stream = stream
    } else {
      const error = failure(stream, this.fd)
      if (error.code !== 'EPERM') throw error
    }
    this.#release = attach(new WeakRef(this), this.fd, this.#stream, signal)
    dropped.register(this, this.#release, this)
  }

  /** Whether it was closed, by whichever of its ends. */
  get closed(): boolean {
    return this.#closed
  }

  /** As the function {@link readable}, without a registration of its own. */
  readable(timeout?: Seconds | WaitOptions | null, options?: WaitOptions | null): Promise<boolean> {
    return this.#wait(READABLE | PRIORITY, timeout, options)
  }

  /** As the function {@link writable}, without a registration of its own. */
  writable(timeout?: Seconds | WaitOptions | null, options?: WaitOptions | null): Promise<boolean> {
    return this.#wait(WRITABLE | PRIORITY, timeout, options)
  }

  /**
   * Reads up to `buffer.length` bytes, and waits only if there are none.
   *
   * @param timeout - Seconds, as for {@link readable}; with `0` it does not wait.
   * @returns how many; 0 at the end; {@link WOULD_BLOCK} (-1) when the time has passed.
   * Rejects with {@link FdError} `EBADF` when closed, with the system's code where the read fails (`ECONNRESET`), and with
   * `AbortError`. The buffer must not be used or detached until then.
   */
  read(buffer: Uint8Array, timeout?: Seconds | null, options?: WaitOptions | null): Promise<number> {
    try {
      checkBuffer(buffer)
      const seconds = toSeconds(timeout)
      const stream = this.#pollable('read')
      const { signal, ref = true } = toOptions(options)
      if (stream === undefined) return this.#always(() => calls.read(this.fd, buffer), signal)
      if (buffer.length === 0) return Promise.resolve(0)
      if (signal === undefined) {
        return reactor.transferred(streamRead(stream, buffer, seconds, ref), this.fd, READ, this, buffer)
      }
      const begin = (): number => streamRead(stream, buffer, seconds, ref)
      return reactor.abortableTransfer(begin, this.fd, READ, this, buffer, signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Writes all of `buffer`, and waits whenever there is no room.
   *
   * @param timeout - Seconds for the whole, as for {@link readable}; with `0` it does not wait.
   * @returns how many bytes went: `buffer.length`, or less when the time has passed.
   * Rejects as {@link AsyncFd.read}; the error's `bytesWritten` says how many bytes had gone. The buffer must not be changed
   * or detached until then.
   */
  write(buffer: Uint8Array, timeout?: Seconds | null, options?: WaitOptions | null): Promise<number> {
    try {
      checkBuffer(buffer)
      const seconds = toSeconds(timeout)
      const stream = this.#pollable('write')
      const { signal, ref = true } = toOptions(options)
      if (stream === undefined) return this.#always(() => writeAll(this.fd, buffer), signal)
      if (buffer.length === 0) return Promise.resolve(0)
      if (signal === undefined) {
        return reactor.transferred(streamWrite(stream, buffer, seconds, ref), this.fd, WRITE, this, buffer)
      }
      const begin = (): number => streamWrite(stream, buffer, seconds, ref)
      return reactor.abortableTransfer(begin, this.fd, WRITE, this, buffer, signal)
    } catch (error) {
      if (error instanceof FdError) error.bytesWritten = 0
      return Promise.reject(error)
    }
  }

  /**
   * A `node:stream` Duplex over the descriptor, always the same one: with backpressure, half-open, and one-sided where the
   * descriptor is open for one direction only. Ending it shuts down the sending half of a socket; destroying it, or the end
   * of both sides, closes this object.
   */
  duplex(): Duplex {
    this.#open('duplex')
    this.#duplex ??= toDuplex(this)
    return this.#duplex
  }

  /** A pair of web streams over the descriptor, always the same one; `readable` is a byte stream. Else as {@link AsyncFd.duplex}. */
  web(): { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> } {
    this.#open('web')
    this.#web ??= toWeb(this)
    return this.#web
  }

  /**
   * The data up to its end, in chunks of their own of up to 65,536 bytes. Neither the end nor leaving the loop closes this
   * object; closing it throws `EBADF` from the loop.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    const buffer = new Uint8Array(CHUNK)
    for (;;) {
      const count = await this.read(buffer).catch((error: unknown) => {
        if (isEnd(error, this.fd)) return 0
        throw error
      })
      if (count <= 0) return
      yield buffer.slice(0, count)
    }
  }

  /**
   * Ends the registration, and what is pending with it (`EBADF`); closes the descriptor if the constructor was told so.
   * Again: nothing happens.
   */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    // A number that was closed by somebody else may be anybody's by now.
    const mine = this.#stream === undefined || reactor.native.streamIntact(this.#stream)
    this.#end()
    try {
      if (this.#closesFd && !mine) throw badDescriptor('close', this.fd, 'closed or replaced by somebody else')
      if (this.#closesFd) calls.close(this.fd)
      return Promise.resolve()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #end(): void {
    this.#closed = true
    dropped.unregister(this)
    this.#release()
  }

  /** @internal The descriptor is about to be closed by somebody else. */
  [END](): void {
    if (!this.#closed) this.#end()
  }

  #open(call: string): void {
    if (this.#closed) throw badDescriptor(call, this.fd, 'this AsyncFd is closed')
  }

  #pollable(call: string): number | undefined {
    this.#open(call)
    return this.#stream
  }

  #wait(
    interest: number,
    timeout: Seconds | WaitOptions | null | undefined,
    options: WaitOptions | null | undefined,
  ): Promise<boolean> {
    try {
      if (isOptions(timeout) && (options === undefined || options === null)) return this.#wait(interest, null, timeout)
      const seconds = toSeconds(timeout as Seconds | null | undefined)
      const { signal, ref = true } = toOptions(options)
      const stream = this.#pollable('poll')
      if (stream === undefined) return reactor.wait(this.fd, interest, seconds, ref, signal)
      return reactor.pending(() => reactor.native.streamWait(stream, interest, seconds, ref), this.fd, signal, {
        held: this,
      })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  // After a turn, like every wait on what is always ready, and by a plain call: a regular file never would block.
  async #always(call: () => number, signal: AbortSignal | undefined): Promise<number> {
    await reactor.wait(this.fd, READABLE, Number.POSITIVE_INFINITY, true, signal)
    if (this.#signal?.aborted) throw new AbortError(this.#signal.reason)
    this.#open('close')
    return call()
  }
}

const READ: reactor.Transfer = {
  value: (outcome) => (outcome === 0 ? calls.WOULD_BLOCK : outcome - 1),
  explain: () => {},
}
const WRITE: reactor.Transfer = {
  value: (outcome, slot) => (outcome === 0 ? reactor.native.streamProgress(slot) : outcome - 1),
  explain: (error, slot) => {
    ;(error as FdError | AbortError).bytesWritten = reactor.native.streamProgress(slot)
  },
}

function checkBuffer(buffer: Uint8Array): void {
  calls.checkBuffer(buffer)
  if (buffer.length > MOST) throw outOfRange('buffer', `at most ${MOST} bytes long`, buffer.length)
}

function writeAll(fd: number, buffer: Uint8Array): number {
  let written = 0
  try {
    while (written < buffer.length) written += calls.write(fd, buffer, written)
  } catch (error) {
    if (error instanceof FdError) error.bytesWritten = written
    throw error
  }
  return written
}
