/**
 * From what an application says to what is sent.
 *
 * @module
 */
import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import { abort, needsDrain } from './connection.js'
import { kindOf, WsgiError } from './faults.js'
import { checkHead, type Head } from './headers.js'
import type { Chunk, HeaderList, Write } from './types.js'

/** A string is no body, and neither are other things that happen to be chunks in other servers. @throws WsgiError. */
export function checkChunk(chunk: unknown): asserts chunk is Chunk {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return
  const fix =
    kindOf(chunk) === 'a promise'
      ? '; await it in an async generator'
      : typeof chunk === 'number' || typeof chunk === 'boolean'
        ? '; String() makes a string'
        : ''
  throw new WsgiError(`a chunk of the body must be a string or a Uint8Array, not ${kindOf(chunk)}${fix}`)
}

/** Who is told of a mistake that there is nobody to throw at. */
export interface Overseer {
  /** `write()` was called when the response had ended. */
  wroteLate(): void
}

/** One response: the rules of startResponse, write() and Content-Length. */
export class Responder {
  /** Nothing may be said any more. */
  over = false
  readonly #res: ServerResponse
  readonly #headOnly: boolean
  readonly #overseer: Overseer
  #head: Head | undefined
  #write: Write | undefined
  /** A chunk was given: the headers count as sent. */
  #committed = false
  /** The headers were given to Node. */
  #flushed = false
  /**
   * The first chunk, as long as it may turn out to be the only one. Node sends nothing before the present turn ends, so nothing
   * is lost by holding it until then.
   */
  #held: Chunk | undefined
  #sent = 0
  #full = false

  constructor(res: ServerResponse, method: string | undefined, overseer: Overseer) {
    this.#res = res
    this.#overseer = overseer
    this.#headOnly = method === 'HEAD'
  }

  /** What was written filled the connection, and it has not been emptied since: wait for 'drain'. */
  get full(): boolean {
    // It may have been emptied while nobody listened.
    if (this.#full) this.#full = needsDrain(this.#res)
    return this.#full
  }

  get committed(): boolean {
    return this.#committed
  }

  /** There is a first chunk that was not sent yet. */
  get holding(): boolean {
    return this.#held !== undefined
  }

  start(status: string, headers: HeaderList, excInfo?: unknown): Write {
    if (this.over) throw new WsgiError('startResponse was called after the request was over')
    const replacing = excInfo !== undefined && excInfo !== null
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- what the application has caught
    if (replacing && this.#committed) throw excInfo
    if (this.#head !== undefined && !replacing) {
      throw new WsgiError(
        'startResponse was called a second time: to replace an earlier call because of an error, give the error as third argument',
      )
    }
    const head = checkHead(status, headers)
    // An iterable of headers may itself have called.
    if ((this.#head !== undefined && !replacing) || this.#committed) {
      throw new WsgiError('startResponse was called while the headers of another call were being read')
    }
    this.#head = head
    return (this.#write ??= (data) => this.#push(data))
  }

  /** Takes a chunk that was yielded and is not empty. `own`: the application may still change it. */
  take(chunk: Chunk, own: boolean): void {
    this.#count(chunk)
    if (this.#flushed) {
      this.#send(chunk, own)
    } else if (this.#committed) {
      this.flush()
      this.#send(chunk, own)
    } else {
      this.#committed = true
      if (this.#bodyless) return
      this.#held = own && typeof chunk !== 'string' ? Buffer.from(chunk) : chunk
    }
  }

  /** Sends what there is to be sent, since the next chunk will be some time coming. */
  flush(): void {
    if (this.#flushed || !this.#committed) return
    this.#writeHead(-1)
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) this.#send(held, false)
  }

  /** The body is complete. */
  end(): void {
    const head = this.#need()
    if (head.length >= 0 && this.#sent < head.length && !this.#bodyless) {
      throw new WsgiError(
        `the body ended after ${this.#sent} bytes, and the header Content-Length said ${head.length}: correct it or leave it out`,
      )
    }
    if (!this.#flushed) this.#writeHead(this.#sent)
    const held = this.#held
    this.#held = undefined
    if (held === undefined) this.#res.end()
    else this.#res.end(this.#encoded(held))
  }

  /** Answers in the application's stead. Only before anything of its response was committed. */
  refuse(status: number, reason: string): void {
    const res = this.#res
    this.#committed = true
    if (this.#unusable) {
      // Somebody else has begun an answer, which nobody is going to end.
      if (!res.destroyed && !res.writableEnded) abort(res, true)
      return
    }
    const text = `${status} ${reason}\n`
    const fields = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(text.length)]
    this.#head = { status, reason, fields, length: text.length, ascii: true }
    this.#writeHead(-1)
    if (this.#headOnly) res.end()
    else res.end(text)
  }

  /** Makes the client see that something is missing. */
  abort(): void {
    try {
      this.flush()
    } finally {
      abort(this.#res, this.#head !== undefined && this.#head.length >= 0)
    }
  }

  get #bodyless(): boolean {
    const status = this.#head?.status
    return this.#headOnly || status === 204 || status === 304
  }

  /** Nothing can be written any more: there is nobody, or somebody else has answered. */
  get #unusable(): boolean {
    return this.#res.destroyed || this.#res.writableEnded || (this.#res.headersSent && !this.#flushed)
  }

  #push(data: Chunk): void {
    // Often from a callback of the program's, where an exception would end the process.
    if (this.over) return this.#overseer.wroteLate()
    checkChunk(data)
    if (data.length === 0) return
    this.#count(data)
    this.#committed = true
    this.flush()
    if (!this.#flushed) this.#writeHead(-1)
    this.#send(data, true)
  }

  #need(): Head {
    if (this.#head === undefined) {
      throw new WsgiError(
        "the application gave a body without having called startResponse(status, headers), for example startResponse('200 OK', [])",
      )
    }
    return this.#head
  }

  /** Refuses what Content-Length leaves no room for: on a connection that is kept it would be taken for the next response. */
  #count(chunk: Chunk): void {
    const head = this.#need()
    this.#sent += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length
    if (head.length >= 0 && this.#sent > head.length && !this.#bodyless) {
      throw new WsgiError(
        `the body has more than the ${head.length} bytes that the header Content-Length said: correct it or leave it out`,
      )
    }
  }

  #writeHead(length: number): void {
    const res = this.#res
    const { status, reason, fields, length: declared } = this.#need()
    this.#committed = true
    if (res.headersSent) {
      throw new WsgiError("the response was sent by somebody else, through environ['fdevent.response'] for one")
    }
    if (length >= 0 && declared < 0 && status !== 204 && status !== 304) fields.push('Content-Length', String(length))
    this.#flushed = true
    if (res.destroyed) return
    try {
      this.#hand(status, reason, fields)
    } catch (error) {
      // Node has rules of its own, HTTP/2 for one. Nothing has been sent, so there is still something to be said.
      for (let i = 0; i < fields.length && !res.headersSent; i += 2) res.removeHeader(fields[i] as string)
      if (!res.headersSent) this.#committed = this.#flushed = false
      this.#held = undefined
      throw error
    }
  }

  #hand(status: number, reason: string, fields: string[]): void {
    const res = this.#res
    if ((res as unknown as Partial<Http2ServerResponse>).stream !== undefined) {
      // It has no reasons.
      res.writeHead(status, grouped(fields))
    } else if (res.getHeaderNames().length > 0) {
      // Other middleware has set some. Node would keep one of several lines of one name.
      res.writeHead(status, reason, grouped(fields))
    } else {
      res.writeHead(status, reason, fields)
    }
  }

  #send(chunk: Chunk, own: boolean): void {
    if (this.#bodyless || this.#res.destroyed || this.#res.writableEnded) return
    // Node keeps what it cannot write at once. A chunk that fills its buffer is waited for; of a smaller one a copy is sent,
    // since the application may use its memory again.
    const copied = own && typeof chunk !== 'string' && chunk.length < this.#res.writableHighWaterMark
    if (!this.#res.write(copied ? Buffer.from(chunk) : this.#encoded(chunk))) this.#full = true
  }

  /** Node sends headers and a first chunk that is a string in one encoding, the chunk's. */
  #encoded(chunk: Chunk): Chunk {
    return typeof chunk === 'string' && !this.#need().ascii ? Buffer.from(chunk) : chunk
  }
}

/** Each name once, with a list where it had several lines. */
function grouped(fields: readonly string[]): Record<string, string | string[]> {
  const lists = new Map<string, string[]>()
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] as string).toLowerCase()
    const list = lists.get(name)
    if (list === undefined) lists.set(name, [fields[i + 1] as string])
    else list.push(fields[i + 1] as string)
  }
  const headers: Record<string, string | string[]> = {}
  for (const [name, list] of lists) headers[name] = list.length === 1 ? (list[0] as string) : list
  return headers
}
