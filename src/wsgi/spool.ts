import { randomUUID } from 'node:crypto'
import { closeSync, constants, openSync, readSync, unlinkSync, write } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary file without a name: readable by this user alone, and gone with its descriptor, whatever becomes of the process. */
export class Spool {
  readonly #fd: number
  #written = 0
  #read = 0
  #closed = false
  #busy = false

  constructor() {
    const path = join(tmpdir(), `fdevent-${randomUUID()}`)
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
    unlinkSync(path)
  }

  /** Bytes that have been written and not been read. */
  get remaining(): number {
    return this.#written - this.#read
  }

  /** Appends all of `data`; one call at a time. `done` is not called any more after `close()`. */
  append(data: Uint8Array, done: (error: Error | null) => void): void {
    this.#busy = true
    write(this.#fd, data, 0, data.length, this.#written, (error, count) => {
      this.#busy = false
      if (this.#closed) return closeSync(this.#fd)
      if (error) return done(error)
      this.#written += count
      if (count < data.length) this.append(data.subarray(count), done)
      else done(null)
    })
  }

  /** The next bytes, `size` of them at most. */
  read(size: number): Buffer {
    const buffer = Buffer.allocUnsafe(Math.min(size, this.remaining))
    const count = readSync(this.#fd, buffer, 0, buffer.length, this.#read)
    this.#read += count
    return buffer.subarray(0, count)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    // Its number must not become another file's while a write is on its way to it.
    if (!this.#busy) closeSync(this.#fd)
  }
}
