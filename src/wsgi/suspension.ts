/**
 * What one request waits for: the call that announces it, the wait itself, its end.
 *
 * @module
 */
import { invalidType } from '../errors.js'
import { type FdLike, fileno } from '../fileno.js'
import * as reactor from '../reactor.js'
import { PRIORITY, READABLE, WRITABLE } from '../readiness.js'
import { type Seconds, toSeconds } from '../seconds.js'
import { Lists, type Selection } from '../select.js'
import type { RequestBody } from './body.js'
import { WsgiError } from './faults.js'
import { bodyOf } from './input.js'
import type { Resume, Suspension } from './types.js'

type Anything = Selection<unknown>
/** How a wait ended, with the value of the `yield`. */
export type Outcome = boolean | Anything | Error

const NO_SLOT = -1
const NO_PAIRS = new Int32Array(0)
const READ = READABLE | PRIORITY
const WRITE = WRITABLE | PRIORITY

/** What is not a descriptor: an input, or a call of `resume`. */
interface Source {
  readonly ready: boolean
}

/** A wait that is more than one descriptor. */
interface Several {
  seconds: Seconds
  lists: Lists<FdLike, FdLike, FdLike> | undefined
  sources: readonly Source[]
  /** The value of the yield, from what the lists say. */
  value: (selection: Anything | undefined) => boolean | Anything
  /** It is `suspend`, which has a status of its own. */
  status: boolean
}

/** Who waits. */
export interface Owner {
  /** Called once for each `begin()`, never within it, unless `cancel()` comes first. */
  resumed(outcome: Outcome): void
}

// Few objects and closures: thousands of requests may be suspended at once.
export class Waiter {
  /** A mistake that the application was told of; it ends the request whether or not the application listened. */
  fault: WsgiError | undefined
  /** Of the last wait: it ended because its time had passed. */
  expired = false
  /** The last wait was `suspend`. */
  wasSuspend = false
  readonly #owner: Owner
  #announced = false
  #waiting = false
  #over = false
  #slot = NO_SLOT
  // One descriptor, the ordinary case, without an object for it.
  #fd = -1
  #interest = 0
  // undefined: without end, the ordinary case too, for which a number would be an object of its own.
  #seconds: Seconds | undefined
  #several: Several | undefined
  #arrived: (() => void) | undefined
  #settle: ((value: boolean | Anything | Error) => void) | undefined

  constructor(owner: Owner) {
    this.#owner = owner
  }

  /** There was a call whose empty string is yet to be yielded. */
  get announced(): boolean {
    return this.#announced
  }

  readable(target: unknown, timeout: Seconds | null | undefined): Suspension<boolean> {
    const body = bodyOf(target)
    if (body === undefined) return this.#one(target as FdLike, READ, timeout)
    const seconds = toSeconds(timeout)
    this.#announce()
    this.#several = { seconds, lists: undefined, sources: [body], value: () => body.ready, status: false }
    return '' as Suspension<boolean>
  }

  writable(target: unknown, timeout: Seconds | null | undefined): Suspension<boolean> {
    return this.#one(target as FdLike, WRITE, timeout)
  }

  select(
    read: Iterable<FdLike>,
    write: Iterable<FdLike>,
    except: Iterable<FdLike>,
    timeout: Seconds | null | undefined,
  ): Suspension<Anything> {
    const seconds = toSeconds(timeout)
    if (typeof read !== 'object' || read === null || typeof read[Symbol.iterator] !== 'function') {
      throw invalidType('read', 'an iterable of descriptors', read)
    }
    const wanted = [...read]
    const sources = wanted.map(bodyOf).filter((body) => body !== undefined)
    const descriptors = sources.length === 0 ? wanted : wanted.filter((one) => bodyOf(one) === undefined)
    const lists = new Lists(descriptors, write, except)
    this.#announce()
    const value = (selection: Anything | undefined): Anything => {
      const found = selection ?? { readable: [], writable: [], exceptional: [] }
      if (sources.length === 0) return found
      const ready = new Set(found.readable)
      return { ...found, readable: wanted.filter((one) => bodyOf(one)?.ready ?? ready.has(one)) }
    }
    this.#several = { seconds, lists, sources, value, status: false }
    return '' as Suspension<Anything>
  }

  suspend(timeoutMs: number | null | undefined): Resume {
    // Its own unit, by its specification.
    const seconds = toSeconds(typeof timeoutMs === 'number' ? timeoutMs / 1000 : timeoutMs)
    this.#announce()
    const call = { ready: false }
    const several: Several = { seconds, lists: undefined, sources: [call], value: () => call.ready, status: true }
    this.#several = several
    return () => {
      if (call.ready || this.#several !== several) return false
      call.ready = true
      if (!this.#waiting) return false
      this.#hurry()
      return true
    }
  }

  /** The empty string was yielded. @throws FdError: the descriptor cannot be waited for. */
  begin(): void {
    this.#announced = false
    const several = this.#several
    this.#settle ??= (outcome) => this.#settled(outcome)
    if (several !== undefined) {
      this.#beginSeveral(several, several.sources.some(isReady) ? 0 : several.seconds)
    } else {
      const slot = reactor.native.start(this.#fd, this.#interest, this.#seconds ?? Number.POSITIVE_INFINITY, true)
      this.#slot = reactor.toldOnce(slot, this.#fd, this.#settle)
    }
    this.#waiting = true
  }

  /** Ends the wait, if there is one, and everything that was announced. */
  cancel(): void {
    this.#stop()
    this.#announced = false
    this.#several = undefined
  }

  /** The request is over: further calls are mistakes. */
  finish(): void {
    this.cancel()
    this.#over = true
  }

  #one(target: FdLike, interest: number, timeout: Seconds | null | undefined): Suspension<boolean> {
    const fd = fileno(target)
    const seconds = toSeconds(timeout)
    this.#announce()
    this.#several = undefined
    this.#fd = fd
    this.#interest = interest
    this.#seconds = seconds === Number.POSITIVE_INFINITY ? undefined : seconds
    return '' as Suspension<boolean>
  }

  #announce(): void {
    if (this.#over) throw new WsgiError('the request is over: nothing can be waited for any more')
    if (this.#announced || this.#waiting) {
      this.fault = new WsgiError(
        'two calls of readable, writable, select or suspend without a yield between them: yield the empty string that the first ' +
          "returned before the second call, or wait for several descriptors at once with environ['fdevent.select']",
      )
      throw this.fault
    }
    this.#announced = true
  }

  #beginSeveral(several: Several, seconds: Seconds): void {
    const { lists, sources } = several
    const slot = reactor.native.startSelect(lists?.pairs ?? NO_PAIRS, seconds, true)
    const ending = lists === undefined ? undefined : { value: (_outcome: number, own: number) => lists.selection(own) }
    this.#slot = reactor.toldOnce(slot, lists?.first ?? -1, this.#settle as (outcome: Outcome) => void, ending)
    for (const source of sources) {
      if (!source.ready) bodyOfSource(source)?.awaitArrival((this.#arrived ??= () => this.#hurry()))
    }
  }

  /** Something other than a descriptor is ready: the descriptors are looked at once more, so that the lists are complete. */
  #hurry(): void {
    const several = this.#several
    if (several === undefined || !this.#waiting) return
    this.#stop()
    try {
      this.#beginSeveral(several, 0)
    } catch (error) {
      this.#fail(error as Error)
    }
    this.#waiting = true
  }

  #settled(outcome: boolean | Anything | Error): void {
    this.#slot = NO_SLOT
    if (outcome instanceof Error) return this.#fail(outcome)
    const several = this.#several
    this.#stop()
    this.#several = undefined
    if (several === undefined) {
      this.expired = outcome === false
      this.wasSuspend = false
      this.#owner.resumed(outcome)
      return
    }
    const value = several.value(typeof outcome === 'object' ? outcome : undefined)
    this.expired = typeof value === 'object' ? isEmpty(value) : !value
    this.wasSuspend = several.status
    this.#owner.resumed(value)
  }

  // An error may come in the middle of whoever closes the descriptor; the application goes on behind that.
  #fail(error: Error): void {
    this.#stop()
    this.#waiting = true
    queueMicrotask(() => {
      if (!this.#waiting) return
      this.#waiting = false
      this.#several = undefined
      this.#owner.resumed(error)
    })
  }

  #stop(): void {
    this.#waiting = false
    if (this.#slot !== NO_SLOT) reactor.drop(this.#slot)
    this.#slot = NO_SLOT
    if (this.#arrived === undefined) return
    for (const source of this.#several?.sources ?? []) bodyOfSource(source)?.forgetArrival(this.#arrived)
  }
}

const isReady = ({ ready }: Source): boolean => ready

function bodyOfSource(source: Source): RequestBody | undefined {
  return 'awaitArrival' in source ? (source as RequestBody) : undefined
}

/** What a timeout leaves. */
export function isEmpty({ readable, writable, exceptional }: Anything): boolean {
  return readable.length + writable.length + exceptional.length === 0
}
