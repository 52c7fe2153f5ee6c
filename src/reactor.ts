/**
 * Slots to promises. The addon names a wait by its slot; the promise behind that name is here, and so is whoever is told by a
 * watch.
 *
 * @module
 */
import { onAbort } from './abort.js'
import { binding, failure, type Reactor, UNWATCHABLE } from './binding.js'
import { threaded } from './driver.js'
import type { Statistics } from './statistics.js'
import { AbortError, badDescriptor, type FdError } from './errors.js'

/** How many records one batch holds; what is left is handed over in the next. */
const BATCH = 1024

const NO_SLOT = -1

type Resolve = (value: never) => void
type Reject = (reason: unknown) => void

/** What a wait has to do at its end besides settling a promise with whether it became ready. */
export interface Ending {
  /** The promise's value, from the outcome: readiness bits or, of a transfer, bytes + 1; 0 on timeout. */
  value?: (outcome: number, slot: number) => unknown
  /** What is added to an error. */
  explain?: (error: Error, slot: number) => void
  /** Undoes what was set up beside the wait. */
  release?: (() => void) | undefined
  /** Kept alive until then. */
  held?: unknown
  buffer?: Uint8Array
}

/** What a watch is told: readiness bits, or the failure that ends it. It must not throw. */
export type Tell = (ready: number, failed: FdError | undefined) => void

const records = new Int32Array(BATCH * 3)

// By slot, in arrays: an ordinary wait then costs no object beside its promise.
const resolves: (Resolve | undefined)[] = []
const rejects: (Reject | undefined)[] = []
const endings: (Ending | undefined)[] = []
const watches: (Tell | undefined)[] = []
let live = 0
let peak = 0

const closers = new Map<number, Set<() => void>>()

let resolveCaptured: Resolve
let rejectCaptured: Reject
// One executor for all promises, for the same reason.
const capture = (resolve: Resolve, reject: Reject): void => {
  resolveCaptured = resolve
  rejectCaptured = reject
}

/** The addon's side. */
export const native: Reactor = binding.connect(records, run, threaded())

// The calls of every event by themselves: one is compiled to go straight to the addon where the function is a constant, which a
// property of an object is not.
const { start, next } = native
const { pendingTransfer } = binding

/**
 * Delivers a batch, and those that follow from it, in one callback: entering JavaScript anew costs more than many a listener.
 * After a batch for listeners alone the next one is fetched at once; after one that settled promises, behind their
 * continuations. The addon bounds how often.
 */
function run(first: number): void {
  for (let count = first; count > 0; count = next()) {
    if (!deliver(count)) continue
    void behindContinuations.then(runNext)
    return
  }
}

const behindContinuations = Promise.resolve()
const runNext = (): void => run(next())

/** Whether a promise was settled. */
function deliver(count: number): boolean {
  let settled = false
  for (let at = 0, end = count * 3; at < end; at += 3) {
    const slot = records[at] as number
    const outcome = records[at + 1] as number
    const resolve = resolves[slot]
    if (resolve === undefined) {
      // Neither a wait nor a watch: cancelled when its record was on the way.
      const tell = watches[slot]
      if (tell === undefined) continue
      if (outcome < 0) watches[slot] = undefined
      tell(outcome, outcome < 0 ? failure(outcome, records[at + 2] as number) : undefined)
      continue
    }
    settled = true
    try {
      if (outcome < 0) {
        fail(slot, failure(outcome, records[at + 2] as number))
      } else {
        const ending = forget(slot)
        resolve((ending?.value === undefined ? outcome !== 0 : ending.value(outcome, slot)) as never)
      }
    } catch (error) {
      // Promises do not throw; whoever is told by a call may, and it must cost no other wait of the batch.
      binding.uncaught(error)
    }
  }
  return settled
}

/** Waits on one descriptor. The arguments have been validated. */
export function wait(
  fd: number,
  interest: number,
  seconds: number,
  referenced: boolean,
  signal?: AbortSignal,
): Promise<boolean> {
  // Not through pending(): a closure more for each wait is a tenth of its cost.
  if (signal !== undefined) return pending(() => start(fd, interest, seconds, referenced), fd, signal)
  const promise = new Promise<boolean>(capture as never)
  const slot = start(fd, interest, seconds, referenced)
  if (slot < 0) rejectCaptured(failure(slot, fd))
  else keep(slot, resolveCaptured, rejectCaptured, undefined)
  return promise
}

/** The promise of a wait that `begin` starts; it returns a slot or a failure, on descriptor `fd` or the one it names. */
export function pending<T>(
  begin: () => number,
  fd: number | (() => number),
  signal: AbortSignal | undefined,
  ending: Ending = {},
): Promise<T> {
  if (signal?.aborted) return Promise.reject(new AbortError(signal.reason))
  const promise = new Promise<T>(capture as never)
  const resolve = resolveCaptured
  const reject = rejectCaptured
  let slot = NO_SLOT
  // Before the wait begins: a signal that refuses leaves nothing behind.
  if (signal !== undefined) ending.release = onAbort(signal, () => abort(slot, signal))
  slot = begin()
  if (slot >= 0) {
    keep(slot, resolve, reject, ending)
  } else {
    ending.release?.()
    reject(failure(slot, typeof fd === 'number' ? fd : fd()))
  }
  return promise
}

/**
 * A wait whose end is told by a call instead of a promise: the value, or the error, which may come in the middle of whoever closes
 * the descriptor. `slot` is what began it, on descriptor `fd`; {@link drop} ends it without a word. `tell` must not throw.
 */
export function toldOnce<T>(slot: number, fd: number, tell: (outcome: T | Error) => void, ending?: Ending): number {
  if (slot < 0) throw failure(slot, fd)
  keep(slot, tell, tell as Reject, ending)
  return slot
}

/** Ends a wait of {@link toldOnce} that has not been told. */
export function drop(slot: number): void {
  forget(slot)
  native.cancel(slot)
}

/** How a transfer's outcome becomes a value, and what is added to its error. */
export type Transfer = Required<Pick<Ending, 'value' | 'explain'>>

/**
 * The promise of a transfer that `result`, from streamRead or streamWrite, has begun or done. `held` and `buffer` live until its
 * end.
 */
export function transferred(
  result: number,
  fd: number,
  { value, explain }: Transfer,
  held: unknown,
  buffer: Uint8Array,
): Promise<number> {
  if (result >= 0) return Promise.resolve(result)
  if (result > pendingTransfer) {
    const error = failure(result, fd)
    explain(error, NO_SLOT)
    return Promise.reject(error)
  }
  const promise = new Promise<number>(capture as never)
  keep(pendingTransfer - result, resolveCaptured, rejectCaptured, {
    value,
    explain,
    release: undefined,
    held,
    buffer,
  })
  return promise
}

/** The same for a transfer that a signal may end. */
export function abortableTransfer(
  begin: () => number,
  fd: number,
  transfer: Transfer,
  held: unknown,
  buffer: Uint8Array,
  signal: AbortSignal,
): Promise<number> {
  if (signal.aborted) {
    const error = new AbortError(signal.reason)
    transfer.explain(error, NO_SLOT)
    return Promise.reject(error)
  }
  let slot = NO_SLOT
  const release = onAbort(signal, () => abort(slot, signal))
  const result = begin()
  slot = pendingTransfer - result
  const promise = transferred(result, fd, transfer, held, buffer)
  const ending = result <= pendingTransfer ? endings[slot] : undefined
  if (ending === undefined) release()
  else ending.release = release
  return promise
}

function abort(slot: number, signal: AbortSignal): void {
  const error = new AbortError(signal.reason)
  const resolve = resolves[slot] as Resolve
  const reject = rejects[slot] as Reject
  const ending = endings[slot]
  ending?.explain?.(error, slot)
  forget(slot)
  const done = native.cancel(slot)
  // A transfer that is done cannot be undone, and what it has read is nowhere else: its result was on the way.
  if (done > 0 && ending?.value !== undefined) resolve(ending.value(done, slot) as never)
  else reject(error)
}

/** Starts a watch; the slot it goes by. */
export function watch(fd: number, interest: number, edge: boolean, referenced: boolean, tell: Tell): number {
  const slot = native.watch(fd, interest, edge, referenced)
  if (slot < 0) throw failure(slot, fd, UNWATCHABLE)
  extend(watches, slot)
  watches[slot] = tell
  return slot
}

export function unwatch(slot: number): void {
  watches[slot] = undefined
  native.cancel(slot)
}

/** Ends every wait, watcher and stream on a descriptor that is about to be closed. */
export function close(fd: number): void {
  for (const end of [...(closers.get(fd) ?? [])]) end()
  interrupt(native.close(fd), fd)
}

/** Has `end` called when the descriptor is about to be closed, until the function returned is. */
export function beforeClose(fd: number, end: () => void): () => void {
  const ends = closers.get(fd) ?? new Set()
  closers.set(fd, ends.add(end))
  return () => {
    ends.delete(end)
    if (ends.size === 0 && closers.get(fd) === ends) closers.delete(fd)
  }
}

/** Rejects waits that the addon has ended because their descriptor closes. */
export function interrupt(slots: number[], fd: number, signal?: AbortSignal): void {
  for (const slot of slots) {
    if (rejects[slot] === undefined) continue
    fail(
      slot,
      signal?.aborted ? new AbortError(signal.reason) : badDescriptor('close', fd, 'closed while a wait was pending'),
    )
  }
}

export function statistics(): Statistics {
  return native.statistics()
}

function keep(slot: number, resolve: Resolve, reject: Reject, ending: Ending | undefined): void {
  live += 1
  if (live > peak) peak = live
  if (slot >= resolves.length) {
    extend(resolves, slot)
    extend(rejects, slot)
    extend(endings, slot)
  }
  resolves[slot] = resolve
  rejects[slot] = reject
  endings[slot] = ending
}

/** Without a gap: waits, watches and streams share one row of slots, and an array with large holes becomes a hash table. */
function extend<T>(bySlot: (T | undefined)[], slot: number): void {
  while (bySlot.length <= slot) bySlot.push(undefined)
}

function fail(slot: number, error: FdError | AbortError): void {
  const reject = rejects[slot] as Reject
  endings[slot]?.explain?.(error, slot)
  forget(slot)
  reject(error)
}

function forget(slot: number): Ending | undefined {
  const ending = endings[slot]
  resolves[slot] = undefined
  rejects[slot] = undefined
  live -= 1
  if (ending !== undefined) {
    endings[slot] = undefined
    ending.release?.()
  }
  if (live === 0 && peak > BATCH) {
    // A burst is over: give its memory back.
    peak = 0
    resolves.length = 0
    rejects.length = 0
    endings.length = 0
  }
  return ending
}
