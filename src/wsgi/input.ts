/**
 * The objects an application reads its body through.
 *
 * @module
 */
import { invalidType, outOfRange } from '../errors.js'
import type { RequestBody } from './body.js'
import { ClientGone, WsgiError } from './faults.js'
import type { Environ } from './types.js'

/** The body behind an input object of this gateway, or undefined. */
export function bodyOf(target: unknown): RequestBody | undefined {
  if (typeof target !== 'object' || target === null) return undefined
  return InputStream.bodyOf(target) ?? AsyncInput.bodyOf(target)
}

/**
 * `wsgi.input`. It never blocks: with `input: 'buffered'` everything has arrived before the application starts. With `'streaming'`
 * a read that would have to block throws a {@link WsgiError} instead, and takes nothing.
 *
 * Iterating gives lines. `for await` gives pieces as they arrive, and waits for them.
 */
export class InputStream implements Iterable<Buffer>, AsyncIterable<Buffer> {
  readonly #body: RequestBody

  /** @internal */
  constructor(body: RequestBody) {
    this.#body = body
  }

  /** @internal */
  static bodyOf(target: object): RequestBody | undefined {
    return #body in target ? target.#body : undefined
  }

  /** The next `size` bytes, fewer only at the end; without `size`, or with -1, all that are left. */
  read(size?: number | null): Buffer {
    const body = this.#body
    const wanted = toSize(size)
    if (!body.ended && body.available < wanted) throw tooEarly()
    if (body.error !== undefined && body.available < wanted) throw body.error
    return body.take(Math.min(wanted, body.available))
  }

  /** The next line with its line feed, or `size` bytes of it; empty at the end. */
  readline(size?: number | null): Buffer {
    const length = this.#body.lineLength(toSize(size))
    if (length < 0) throw tooEarly()
    if (length === 0 && this.#body.error !== undefined) throw this.#body.error
    return this.#body.take(length)
  }

  /** The lines that are left, or as many as have `hint` bytes together. */
  readlines(hint?: number | null): Buffer[] {
    const limit = hint === 0 ? Number.POSITIVE_INFINITY : toSize(hint)
    const lines: Buffer[] = []
    for (let total = 0; total < limit;) {
      // What comes late, or fails, behind lines that were taken is the next call's affair.
      if (lines.length > 0 && this.#body.lineLength(Number.POSITIVE_INFINITY) <= 0) break
      const line = this.readline()
      if (line.length === 0) break
      total += line.length
      lines.push(line)
    }
    return lines
  }

  *[Symbol.iterator](): Generator<Buffer, void, unknown> {
    for (let line = this.readline(); line.length > 0; line = this.readline()) yield line
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, unknown> {
    const body = this.#body
    for (;;) {
      if (!body.ready) await arrival(body)
      if (body.available === 0) {
        if (body.error !== undefined) throw body.error
        return
      }
      yield body.takePiece(Number.POSITIVE_INFINITY)
    }
  }
}

/**
 * `x-wsgiorg.async.input`, with `read`, and `awsgi.input`, with `recv`, which are the same. Wait for it, with `readable`, before
 * each read.
 */
export class AsyncInput {
  readonly #body: RequestBody
  readonly #environ: Environ

  /** @internal */
  constructor(body: RequestBody, environ: Environ) {
    this.#body = body
    this.#environ = environ
  }

  /** @internal */
  static bodyOf(target: object): RequestBody | undefined {
    return #body in target ? target.#body : undefined
  }

  /**
   * At most `size` bytes of what arrived together; without `size`, all of that. Empty only at the end of the body, or when the
   * client has gone.
   *
   * @throws WsgiError: nothing has arrived yet, or middleware has replaced `wsgi.input`.
   */
  read(size?: number | null): Buffer {
    if (bodyOf(this.#environ['wsgi.input']) !== this.#body) {
      throw new WsgiError(
        "middleware has replaced environ['wsgi.input'], and this input would go past it: read from wsgi.input",
      )
    }
    const wanted = toSize(size)
    if (wanted === 0) throw outOfRange('size', 'a number of bytes >= 1', size)
    if (!this.#body.ready && this.#body.available === 0) {
      throw new WsgiError(
        "no data has arrived yet: before each read, yield environ['x-wsgiorg.async.readable'](input), which waits for it",
      )
    }
    if (this.#body.error !== undefined && !(this.#body.error instanceof ClientGone)) throw this.#body.error
    return this.#body.takePiece(wanted)
  }

  /** {@link AsyncInput.read}, under the name that `awsgi.input` gives it. */
  recv(size?: number | null): Buffer {
    return this.read(size)
  }
}

/** `undefined`, `null` and negative numbers mean no limit. */
function toSize(size: number | null | undefined): number {
  if (size === undefined || size === null) return Number.POSITIVE_INFINITY
  if (typeof size !== 'number') throw invalidType('size', 'a number of bytes', size)
  if (!Number.isInteger(size)) throw outOfRange('size', 'an integer', size)
  return size < 0 ? Number.POSITIVE_INFINITY : size
}

function arrival(body: RequestBody): Promise<void> {
  return new Promise((resolve) => body.awaitArrival(resolve))
}

function tooEarly(): WsgiError {
  return new WsgiError(
    "wsgi.input would have to block, because what was asked for has not arrived yet (input: 'streaming'): first yield " +
      "environ['x-wsgiorg.fdevent.readable'](environ['x-wsgiorg.async.input']) and read from that input, or iterate " +
      "wsgi.input with `for await`, or let the gateway read the body beforehand (input: 'buffered', the default)",
  )
}
