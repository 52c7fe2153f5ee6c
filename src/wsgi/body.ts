import type { Spool } from './spool.js'

const BLOCK = 65_536
const EMPTY = Buffer.alloc(0)

/** The one body of a request, which all input objects take from: what one has taken the other does not see. */
export class RequestBody {
  /** Nothing follows what has arrived. */
  ended = false
  /** Why nothing follows, if the body did not end by itself. */
  error: Error | undefined
  /** Told when something was taken. */
  taken: (() => void) | undefined
  /** What follows the pieces in memory. */
  spool: Spool | undefined
  #pieces: Buffer[] = []
  #first = 0
  #queued = 0
  #waiters: Set<() => void> | undefined

  /** How many bytes can be taken. */
  get available(): number {
    return this.#queued + (this.spool?.remaining ?? 0)
  }

  /** How many of them are in memory. */
  get queued(): number {
    return this.#queued
  }

  /** Whether a read need not wait: there is data, or an end. */
  get ready(): boolean {
    return this.ended || this.#queued > 0
  }

  /** Has `act` called when something arrives or the body ends, once, unless it is forgotten before. */
  awaitArrival(act: () => void): void {
    this.#waiters ??= new Set()
    this.#waiters.add(act)
  }

  forgetArrival(act: () => void): void {
    this.#waiters?.delete(act)
  }

  push(data: Buffer): void {
    if (data.length === 0) return
    this.#pieces.push(data)
    this.#queued += data.length
    this.#tell()
  }

  end(error?: Error): void {
    if (this.ended) return
    this.ended = true
    this.error = error
    this.#tell()
  }

  /** Takes all pieces, as one. */
  takeQueued(): Buffer {
    return this.take(this.#queued)
  }

  /** Takes `size` bytes, of which there must be as many. */
  take(size: number): Buffer {
    const parts: Buffer[] = []
    for (let left = size; left > 0;) {
      const part = this.takePiece(left)
      left -= part.length
      parts.push(part)
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
  }

  /** Takes at most `size` bytes, of one piece as it arrived. */
  takePiece(size: number): Buffer {
    if (this.#queued === 0) this.#refill()
    const piece = this.#pieces[this.#first]
    if (piece === undefined) return EMPTY
    let part = piece
    if (piece.length > size) {
      part = piece.subarray(0, size)
      this.#pieces[this.#first] = piece.subarray(size)
    } else {
      this.#pieces[this.#first] = EMPTY
      this.#first += 1
      if (this.#first === this.#pieces.length || this.#first > 1000) {
        this.#pieces = this.#pieces.slice(this.#first)
        this.#first = 0
      }
    }
    this.#queued -= part.length
    this.taken?.()
    return part
  }

  /** Up to and with the next line feed, but `limit` bytes at most: how many bytes that is. -1: it has not arrived. */
  lineLength(limit: number): number {
    let length = 0
    for (let i = this.#first; length < limit; i += 1) {
      if (i === this.#pieces.length && !this.#refill()) {
        return this.ended ? length : -1
      }
      // A refill begins anew only where nothing was queued.
      const piece = this.#pieces[i] as Buffer
      const at = piece.indexOf(10)
      if (at >= 0) return Math.min(length + at + 1, limit)
      length += piece.length
    }
    return limit
  }

  /** Forgets what is left. */
  discard(): void {
    this.#pieces = []
    this.#first = 0
    this.#queued = 0
    this.spool?.close()
    this.spool = undefined
    this.taken = undefined
    this.end(new Error('the request is over'))
  }

  #tell(): void {
    if (this.#waiters === undefined) return
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const act of waiters) act()
  }

  #refill(): boolean {
    if (this.spool === undefined || this.spool.remaining === 0) return false
    const block = this.spool.read(BLOCK)
    // Cut off by somebody else: what is missing cannot be made up.
    if (block.length === 0) throw new Error('the temporary file that holds the body has become shorter')
    this.#pieces.push(block)
    this.#queued += block.length
    return true
  }
}

/** Of all requests that have none. */
export const NO_BODY = new RequestBody()
NO_BODY.end()
