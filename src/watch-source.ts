/**
 * Where a watcher's events come from: one registration for a listener or for edges, a wait for each step of a level iterator.
 *
 * @module
 */
import { failure } from './binding.js'
import { AbortError } from './errors.js'
import * as reactor from './reactor.js'
import { ERROR, HANGUP } from './readiness.js'

export interface Source {
  /** Readiness bits, or undefined when closed; a listener's source has none to give. */
  next?(): Promise<number | undefined>
  setInterest(interest: number): void
  setReferenced(referenced: boolean): void
  close(): void
}

/** The addon calls for every event. */
export class ListenerSource implements Source {
  readonly #fd: number
  readonly #slot: number
  // Closed, or failed: the slot may be another's.
  #gone = false

  constructor(fd: number, interest: number, edge: boolean, referenced: boolean, tell: reactor.Tell) {
    this.#fd = fd
    this.#slot = reactor.watch(fd, interest, edge, referenced, (ready, failed) => {
      this.#gone ||= failed !== undefined
      tell(ready, failed)
    })
  }

  setInterest(interest: number): void {
    if (this.#gone) return
    const outcome = reactor.native.setInterest(this.#slot, interest)
    if (outcome < 0) throw failure(outcome, this.#fd)
  }
  setReferenced(referenced: boolean): void {
    if (!this.#gone) reactor.native.setReferenced(this.#slot, referenced)
  }
  close(): void {
    if (!this.#gone) reactor.unwatch(this.#slot)
    this.#gone = true
  }
}

/** Each `next()` takes the edges since the last one; the registration stays, or edges in between would be lost. */
export class EdgeSource implements Source {
  readonly #source: ListenerSource
  readonly #mailbox: Mailbox
  #referenced: boolean

  constructor(fd: number, interest: number, referenced: boolean) {
    const mailbox = new Mailbox()
    this.#mailbox = mailbox
    this.#referenced = referenced
    this.#source = new ListenerSource(fd, interest, true, false, mailbox.tell)
  }

  next(): Promise<number | undefined> {
    const taken = this.#mailbox.take()
    this.#source.setReferenced(this.#referenced && this.#mailbox.expected)
    return taken.finally(() => this.setReferenced(this.#referenced))
  }
  setInterest(interest: number): void {
    this.#mailbox.keepOnly(interest | HANGUP | ERROR)
    this.#source.setInterest(interest)
  }
  setReferenced(referenced: boolean): void {
    this.#referenced = referenced
    this.#source.setReferenced(referenced && this.#mailbox.expected)
  }
  close(): void {
    this.#source.close()
    this.#mailbox.close()
  }
}

/** Edges that nobody has asked for yet, or those who ask for edges that have not come. */
class Mailbox {
  #ready = 0
  #failed: unknown
  #closed = false
  #takers: { resolve: (ready: number | undefined) => void; reject: (reason: unknown) => void }[] = []

  readonly tell: reactor.Tell = (ready, failed) => {
    if (failed !== undefined) {
      this.#failed = failed
      for (const { reject } of this.#takers.splice(0)) reject(failed)
      return
    }
    if (ready === 0) return // nothing that is still so: a failure follows
    const first = this.#takers.shift()
    if (first === undefined) this.#ready |= ready
    else first.resolve(ready)
  }

  get expected(): boolean {
    return this.#takers.length > 0
  }

  take(): Promise<number | undefined> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed)
    if (this.#closed) return Promise.resolve(undefined)
    if (this.#ready === 0) return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }))
    const ready = this.#ready
    this.#ready = 0
    return Promise.resolve(ready)
  }

  /** What nobody has taken yet and nobody wants any more. */
  keepOnly(interest: number): void {
    this.#ready &= interest
  }

  close(): void {
    this.#closed = true
    for (const { resolve } of this.#takers.splice(0)) resolve(undefined)
  }
}

/** Armed only while `next()` is pending, so that nothing is reported that nobody asked for. */
export class LevelSource implements Source {
  readonly #fd: number
  #interest: number
  #referenced: boolean
  #closed = false
  // Replaced to make the pending steps begin again under changed terms.
  #terms = new AbortController()

  constructor(fd: number, interest: number, referenced: boolean) {
    this.#fd = fd
    this.#interest = interest
    this.#referenced = referenced
    // Only to learn, here and now, whether it may be watched.
    reactor.unwatch(reactor.watch(fd, interest, false, false, () => {}))
  }

  async next(): Promise<number | undefined> {
    while (!this.#closed) {
      const { signal } = this.#terms
      // A step without interest still waits to be closed or given one.
      const interest = this.#interest === 0 ? 0 : this.#interest | HANGUP | ERROR
      try {
        if (interest !== 0) return await this.#wait(interest, signal)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      } catch (error) {
        // close() of the descriptor ends the watcher first, and then rejects what waits.
        if (!(error instanceof AbortError) && !this.#closed) throw error
      }
    }
    return undefined
  }
  #wait(interest: number, signal: AbortSignal): Promise<number> {
    const begin = (): number => reactor.native.start(this.#fd, interest, Number.POSITIVE_INFINITY, this.#referenced)
    return reactor.pending(begin, this.#fd, signal, { value: (outcome) => outcome })
  }
  setInterest(interest: number): void {
    this.#interest = interest
    this.#begin()
  }
  setReferenced(referenced: boolean): void {
    if (referenced === this.#referenced) return
    this.#referenced = referenced
    this.#begin()
  }
  close(): void {
    this.#closed = true
    this.#terms.abort()
  }
  #begin(): void {
    const before = this.#terms
    this.#terms = new AbortController()
    before.abort()
  }
}
