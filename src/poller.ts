import { binding, failure, type PollerHandle, UNWATCHABLE } from './binding.js'
import { badDescriptor, invalidType, outOfRange } from './errors.js'
import { type FdLike, fileno } from './fileno.js'
import { isOptions } from './options.js'
import { type Mode, toInterest, toMode } from './readiness.js'
import { type Seconds, toSeconds } from './seconds.js'

/** Names a poller in every thread of the process: plain data, made to be sent by `postMessage`. */
export interface Notifier {
  readonly waker: number
  /** Shared memory by which {@link notify} knows whether the poller is still open. */
  readonly gate: Int32Array
}

// Constants, as in reactor.ts.
const { pollerWait, pollerResume, pollerUnfinished } = binding

const MODES: readonly Mode[] = ['level', 'edge', 'oneshot']

/**
 * A poller that its caller drives: for workers, command-line programs and other event loops. It blocks the thread in
 * {@link Poller.wait}, so Node's own timers and sockets stand still meanwhile.
 *
 * Not for use from two threads at once; only {@link notify} is. Descriptors are reported until they are removed; remove one
 * before you close it.
 */
export class Poller implements Disposable {
  /**
   * What the last {@link Poller.wait} found: descriptor, readiness bits, descriptor, ... Always the same array, over shared
   * memory that nobody can detach.
   */
  readonly events: Int32Array
  readonly #gate = new Int32Array(new SharedArrayBuffer(4))
  #handle: PollerHandle | undefined

  /**
   * @param options - `capacity`: how many descriptors one wait can report, 1 to 65,536, by default 256; more wait for the next
   *   one, in rotation.
   * @throws FdError `EMFILE`, `ENFILE`, `ENOMEM`: the system has no poller to give.
   */
  constructor(options: { capacity?: number } = {}) {
    if (!isOptions(options)) throw invalidType('options', 'an object', options)
    const { capacity = 256 } = options
    if (typeof capacity !== 'number') throw invalidType('options.capacity', 'a number', capacity)
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > 65_536) {
      throw outOfRange('options.capacity', 'an integer from 1 to 65536', capacity)
    }
    this.events = new Int32Array(new SharedArrayBuffer(capacity * 8))
    const handle = binding.pollerOpen(this.events, this.#gate)
    if (typeof handle === 'number') throw failure(handle, -1)
    this.#handle = handle
  }

  /**
   * The poller's own descriptor: readable, in any other loop, when {@link Poller.wait} would return at once.
   *
   * @throws FdError `EBADF`: closed.
   */
  get fd(): number {
    const fd = binding.pollerFd(this.#open('fileno'))
    if (fd < 0) throw failure(fd, -1)
    return fd
  }

  /**
   * Reports a descriptor from now on.
   *
   * @param interest - {@link READABLE}, {@link WRITABLE}, {@link PRIORITY}, {@link HANGUP}, {@link ERROR} or a combination.
   * @param mode - `'level'`, the default: by every wait while it is ready. `'edge'`: when something new has come. `'oneshot'`:
   *   once, until {@link Poller.modify} arms it again.
   * @throws FdError `EEXIST`: added already. `EBADF`: not open. `EPERM`: a regular file, directory or the like, always ready.
   *   `EINVAL`, `ELOOP`: the poller itself, or a cycle of pollers.
   */
  add(fd: FdLike, interest: number, mode: 'level' | 'edge' | 'oneshot' = 'level'): void {
    const number = fileno(fd)
    const outcome = binding.pollerAdd(this.#open('add'), number, toInterest(interest), toMode(mode, MODES))
    if (outcome < 0) throw failure(outcome, number, { ...UNWATCHABLE, EEXIST: 'added already' })
  }

  /** Replaces interest and mode, and arms a one-shot again. @throws FdError `ENOENT`: not added, or closed since. */
  modify(fd: FdLike, interest: number, mode: 'level' | 'edge' | 'oneshot' = 'level'): void {
    const number = fileno(fd)
    const outcome = binding.pollerModify(this.#open('modify'), number, toInterest(interest), toMode(mode, MODES))
    if (outcome < 0) throw failure(outcome, number, { ENOENT: 'not added to this poller' })
  }

  /** Reports a descriptor no more; it may have been closed. @throws FdError `ENOENT`: not added. */
  remove(fd: FdLike): void {
    const number = fileno(fd)
    const outcome = binding.pollerRemove(this.#open('remove'), number)
    if (outcome < 0) throw failure(outcome, number, { ENOENT: 'not added to this poller' })
  }

  /**
   * Blocks the thread until a descriptor is ready, {@link Poller.notify} is called, or the time has passed, and returns how
   * many descriptors stand in {@link Poller.events}: 0 after a notification or a timeout. Signals do not end it (JavaScript's
   * handlers for them run afterwards). Never early, and late by the kernel's timer slack (50 us).
   *
   * @param timeout - Seconds, as for {@link readable}: `null` never ends, `0` does not block.
   * @throws FdError `EBADF`: closed. TypeError, RangeError for the timeout.
   */
  wait(timeout?: Seconds | null): number {
    const handle = this.#open('wait')
    let count = pollerWait(handle, toSeconds(timeout))
    // Between two calls the thread can be terminated.
    while (count === pollerUnfinished) count = pollerResume(handle)
    if (count < 0) throw failure(count, -1)
    return count
  }

  /** Wakes the present wait, or lets the next one return at once; several before that count as one. */
  notify(): void {
    notify(this.notifier)
  }

  /** What {@link notify} needs, in any thread. */
  get notifier(): Notifier {
    const waker = binding.pollerWaker(this.#open('notify'))
    if (waker < 0) throw failure(waker, -1)
    return { waker, gate: this.#gate }
  }

  /** Gives everything back; descriptors that were added stay open. Again: nothing happens. */
  close(): void {
    if (this.#handle !== undefined) binding.pollerClose(this.#handle)
    this.#handle = undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #open(call: string): PollerHandle {
    if (this.#handle === undefined) throw badDescriptor(call, -1, 'the poller is closed')
    return this.#handle
  }
}

/**
 * Wakes a poller from any thread of its process.
 *
 * @returns `false` when that poller is closed.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`: not a poller's `notifier`.
 */
export function notify(notifier: Notifier): boolean {
  const { waker, gate } = (notifier ?? {}) as Partial<Notifier>
  if (typeof waker !== 'number' || !(gate instanceof Int32Array) || !(gate.buffer instanceof SharedArrayBuffer)) {
    throw invalidType('notifier', "a poller's notifier", notifier)
  }
  const outcome = binding.pollerNotify(waker, gate)
  if (outcome < 0) throw failure(outcome, waker)
  return outcome === 1
}
