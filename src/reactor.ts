/**
 * Slots to promises. The addon names a wait by its slot; the promise behind that name is here.
 *
 * @module
 */
import { binding, failure } from './binding.js'
import { AbortError, badDescriptor, type FdError } from './errors.js'

/** How many records one batch holds; what is left is handed over in the next. */
const BATCH = 1024

type Resolve = (value: never) => void
type Reject = (reason: unknown) => void

/** What a wait has to do at its end besides settling a promise. */
interface Ending {
  /** The promise's value where it is not simply whether the outcome is other than 0, a timeout. */
  value?: ((outcome: number) => unknown) | undefined
  /** Removes the listener from the signal. */
  release?: () => void
}

/** What a watch is told: readiness bits, or the failure that ends it. It must not throw. */
export type Tell = (ready: number, failed: FdError | undefined) => void

const records = new Int32Array(BATCH * 3)

// By slot, in three arrays: an ordinary wait then costs no object beside its promise.
const resolves: (Resolve | undefined)[] = []
const rejects: (Reject | undefined)[] = []
const endings: (Ending | undefined)[] = []
const watches: (Tell | undefined)[] = []
const closers = new Map<number, Set<() => void>>()
let live = 0

let resolveCaptured: Resolve
let rejectCaptured: Reject
// One executor for all promises, for the same reason.
const capture = (resolve: Resolve, reject: Reject): void => {
  resolveCaptured = resolve
  rejectCaptured = reject
}

binding.connect(records, (count) => {
  for (let at = 0, end = count * 3; at < end; at += 3) {
    const slot = records[at] as number
    const outcome = records[at + 1] as number
    const resolve = resolves[slot]
    if (resolve === undefined) {
      const tell = watches[slot]
      // Neither: cancelled when its record was on the way.
      if (tell !== undefined) tell(outcome, outcome < 0 ? failure(outcome, records[at + 2] as number) : undefined)
      continue
    }
    const reject = rejects[slot] as Reject
    const ending = forget(slot)
    if (outcome < 0) reject(failure(outcome, records[at + 2] as number))
    else if (ending?.value === undefined) resolve((outcome !== 0) as never)
    else resolve(ending.value(outcome) as never)
  }
})

/** Waits on one descriptor. The arguments have been validated. */
export function wait(
  fd: number,
  interest: number,
  seconds: number,
  referenced: boolean,
  signal?: AbortSignal,
): Promise<boolean> {
  if (signal?.aborted) return Promise.reject(new AbortError(signal.reason))
  const promise = new Promise<boolean>(capture as never)
  const resolve = resolveCaptured
  const reject = rejectCaptured
  const slot = binding.start(fd, interest, seconds, referenced)
  if (slot < 0) reject(failure(slot, fd))
  else {
    keep(slot, resolve, reject)
    if (signal !== undefined) endings[slot] = abortable(slot, signal)
  }
  return promise
}

/** Waits for readiness bits, as poll(2) would report them, until the signal is aborted. */
export function waitForBits(fd: number, interest: number, referenced: boolean, signal: AbortSignal): Promise<number> {
  if (signal.aborted) return Promise.reject(new AbortError(signal.reason))
  const promise = new Promise<number>(capture as never)
  const resolve = resolveCaptured
  const reject = rejectCaptured
  const slot = binding.start(fd, interest, Number.POSITIVE_INFINITY, referenced)
  if (slot < 0) reject(failure(slot, fd))
  else {
    keep(slot, resolve, reject)
    const ending = abortable(slot, signal)
    ending.value = (outcome) => outcome
    endings[slot] = ending
  }
  return promise
}

/** Starts a watch; the slot it goes by. */
export function watch(fd: number, interest: number, edge: boolean, referenced: boolean, tell: Tell): number {
  const slot = binding.watch(fd, interest, edge, referenced)
  if (slot < 0) throw failure(slot, fd)
  watches[slot] = tell
  return slot
}

export function unwatch(slot: number): void {
  watches[slot] = undefined
  binding.cancel(slot)
}

/** Waits on several: `pairs` holds descriptor and interest of each, and then what of the interest is ready. */
export function waitSelect<T>(
  pairs: Int32Array,
  seconds: number,
  referenced: boolean,
  signal: AbortSignal | undefined,
  toValue: () => T,
): Promise<T> {
  if (signal?.aborted) return Promise.reject(new AbortError(signal.reason))
  const promise = new Promise<T>(capture as never)
  const resolve = resolveCaptured
  const reject = rejectCaptured
  const slot = binding.startSelect(pairs, seconds, referenced)
  if (slot < 0) reject(failure(slot, pairs[0] ?? -1))
  else {
    keep(slot, resolve, reject)
    const ending: Ending = signal === undefined ? {} : abortable(slot, signal)
    ending.value = () => {
      binding.selection(slot, pairs)
      return toValue()
    }
    endings[slot] = ending
  }
  return promise
}

/** Ends every wait and watcher on a descriptor that is about to be closed. */
export function close(fd: number): void {
  for (const end of [...(closers.get(fd) ?? [])]) end()
  const interrupted = binding.close(fd)
  if (interrupted.length === 0) return
  // All are forgotten before the first is told: nothing that runs then may meet a half-closed descriptor.
  const rejections = interrupted.map((slot) => {
    const reject = rejects[slot]
    if (reject !== undefined) forget(slot)
    return reject
  })
  for (const reject of rejections) reject?.(badDescriptor('close', fd, 'closed while a wait was pending'))
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

function keep(slot: number, resolve: Resolve, reject: Reject): void {
  live += 1
  resolves[slot] = resolve
  rejects[slot] = reject
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
  if (live === 0 && resolves.length > BATCH) {
    // A burst is over: give its memory back.
    resolves.length = 0
    rejects.length = 0
    endings.length = 0
  }
  return ending
}

function abortable(slot: number, signal: AbortSignal): Ending {
  const onAbort = (): void => {
    const reject = rejects[slot] as Reject
    forget(slot)
    binding.cancel(slot)
    reject(new AbortError(signal.reason))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  return { release: () => signal.removeEventListener('abort', onAbort) }
}
