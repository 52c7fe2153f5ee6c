/**
 * The addon, typed. Nothing else in src/ knows where it lies or how it is called.
 *
 * @module
 */
import { FdError } from './errors.js'
import { load } from './load.js'
import type { Statistics } from './statistics.js'

/** What native/node/addon.cc exports. A failure is a number < 0; see {@link failure}. */
export interface Binding {
  readonly backend: 'epoll' | 'kqueue'
  /** Names of system calls, by the index that a failure carries. */
  readonly syscalls: readonly string[]
  /** Before `dispatch(count)` runs, `records` holds `count` times slot, outcome, descriptor. */
  connect(records: Int32Array, dispatch: (count: number) => void, threaded: boolean): Reactor
  /** What a listener threw goes the way of every uncaught exception, at once. */
  uncaught(error: unknown): void
  /** A transfer that is yet to be done is `pendingTransfer - slot`. */
  readonly pendingTransfer: number

  // native/node/poller.cc. `kind` is an index into once, level, edge.
  pollerOpen(events: Int32Array, gate: Int32Array): PollerHandle | number
  pollerAdd(handle: PollerHandle, fd: number, interest: number, kind: number): number
  pollerModify(handle: PollerHandle, fd: number, interest: number, kind: number): number
  pollerRemove(handle: PollerHandle, fd: number): number
  /** A count, a failure, or `pollerUnfinished`: go on with `pollerResume`. */
  readonly pollerWait: (handle: PollerHandle, seconds: number) => number
  readonly pollerResume: (handle: PollerHandle) => number
  readonly pollerUnfinished: number
  pollerFd(handle: PollerHandle): number
  pollerWaker(handle: PollerHandle): number
  pollerClose(handle: PollerHandle): void
  pollerNotify(waker: number, gate: Int32Array): number

  // native/node/io.cc. Each returns its result, or a negated errno.
  readonly MSG_OOB: number
  readonly MSG_PEEK: number
  readonly read: (fd: number, buffer: Uint8Array, offset?: number, length?: number) => number
  readonly write: (fd: number, buffer: Uint8Array, offset?: number, length?: number) => number
  recv(fd: number, buffer: Uint8Array, offset: number, length: number, flags: number): number
  send(fd: number, buffer: Uint8Array, offset: number, length: number, flags: number): number
  accept(fd: number): number
  dup(fd: number): number
  closeFd(fd: number): number
  isNonBlocking(fd: number): number
  setNonBlocking(fd: number, on: boolean): number
  socketError(fd: number): number
  /** 0 for reading, 1 for writing, 2 for both. */
  accessMode(fd: number): number
  endSending(fd: number): number
  openProcess(pid: number): number
  readonly openProcessName: string
  pipe(fds: Int32Array): number
  socketpair(fds: Int32Array): number
}

/** One instance of native/node/environment.h. Slots and failures share one number: a slot is >= 0. */
export interface Reactor {
  readonly start: (fd: number, interest: number, seconds: number, referenced: boolean) => number
  /** `pairs`: descriptor, interest, each descriptor once. On failure `pairs[0]` is the descriptor at fault. */
  startSelect(pairs: Int32Array, seconds: number, referenced: boolean): number
  /** During the dispatch of a select's record: replaces each interest in `pairs` by the part that is ready. */
  selection(slot: number, pairs: Int32Array): void
  /** The outcome of a transfer that was done already, or 0. */
  cancel(slot: number): number
  /** At the end of a dispatch: fetches a further batch, and returns its count of records. */
  readonly next: () => number
  /** The slots of what it interrupts. */
  close(fd: number): number[]
  /** Each of its records carries readiness bits, until it is cancelled or a failure ends it. */
  watch(fd: number, interest: number, edge: boolean, referenced: boolean): number
  setInterest(slot: number, interest: number): number
  setReferenced(slot: number, referenced: boolean): void
  streamOpen(fd: number): number
  /** A count of bytes, a failure, or a transfer to be done, whose outcome will be that count + 1; 0 on timeout. */
  readonly streamRead: (stream: number, buffer: Uint8Array, seconds: number, referenced: boolean) => number
  readonly streamWrite: (stream: number, buffer: Uint8Array, seconds: number, referenced: boolean) => number
  /** How much of a write has gone. */
  streamProgress(slot: number): number
  streamWait(stream: number, interest: number, seconds: number, referenced: boolean): number
  /** Whether its number still means what was registered. */
  streamIntact(stream: number): boolean
  /** The slots of what it interrupts. */
  streamClose(stream: number): number[]
  statistics(): Statistics
  driver(): 'nested' | 'thread'
}

declare const handle: unique symbol
/** The addon's own object; closed when it is collected. */
export interface PollerHandle {
  readonly [handle]: never
}

export const binding = load() as Binding

const CREATE = 0

/** What a code means here, where the system's own words would mislead. */
type Reasons = Readonly<Record<string, string>>

export const UNWATCHABLE: Reasons = {
  EPERM: 'a regular file, a directory or the like has no readiness to watch: it is always ready',
}

/** The error behind a failure: -(index into `syscalls` << 12 | errno), as native/core/outcome.h packs it. */
export function failure(outcome: number, fd: number, reasons: Reasons = {}): FdError {
  const syscall = -outcome >> 12
  // What cannot be created is no descriptor of the caller's.
  const error = new FdError(-outcome & 0xfff, binding.syscalls[syscall] ?? 'unknown', syscall === CREATE ? -1 : fd)
  const reason = reasons[error.code]
  return reason === undefined ? error : new FdError(error.errno, error.syscall, error.fd, reason)
}
