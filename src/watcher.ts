import { AsyncResource } from './builtins.js'
import { onAbort } from './abort.js'
import { binding } from './binding.js'
import { illegalConstructor, invalidState, invalidType } from './errors.js'
import { type FdLike, fileno } from './fileno.js'
import { toOptions } from './options.js'
import * as reactor from './reactor.js'
import { ERROR, HANGUP, toInterest, toMode } from './readiness.js'
import { EdgeSource, LevelSource, ListenerSource, type Source } from './watch-source.js'

/** What {@link watch} accepts beside descriptor, interest and listener. */
export interface WatchOptions {
  /** Closes the watcher when aborted; one that is aborted already makes a closed watcher. Iterations end quietly. */
  signal?: AbortSignal | undefined
  /** Whether the open watcher keeps the process alive. Default `true`. */
  ref?: boolean | undefined
  /**
   * `'level'`, the default: told again in every turn of the event loop while the descriptor is ready. `'edge'`: told once
   * when it becomes ready, and again only after something new has come, so drain it until the call would block.
   */
  mode?: 'level' | 'edge' | undefined
}

/**
 * Called with readiness bits; `HANGUP` and `ERROR` are reported whether they were asked for or not.
 *
 * When the descriptor is found closed or replaced without a word, the listener is called a last time with `ERROR`, and
 * `watcher.closed` is `true` then. A watcher that its owner closes, by `close()`, `closing(fd)` or a signal, ends silently.
 */
export type WatchListener = (ready: number, watcher: Watcher) => void

/**
 * Watches a descriptor until it is closed: what {@link readable} is to one wait, this is to many. It holds one
 * registration, so an event costs no system call beside the batch's own.
 *
 * With a `listener`, that is called for every event, in the async context in which `watch` was called. What it throws goes
 * to `uncaughtException` and costs no other event. Without one, the watcher is an async iterable of readiness bits, armed
 * only while `next()` is pending (in edge mode, edges in between are remembered as one).
 *
 * Independent of every other wait and watcher on the same descriptor, whatever their modes.
 *
 * @param interest - {@link READABLE}, {@link WRITABLE}, {@link PRIORITY}, {@link HANGUP}, {@link ERROR} or a combination; with 0
 *   it sleeps until {@link Watcher.interest} is set.
 * @throws FdError `EBADF`: not open. `EPERM`: a regular file, a directory or the like, which has no readiness to watch: it
 *   is always ready.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`.
 */
export function watch(
  fd: FdLike,
  interest: number,
  listener?: WatchListener | null,
  options?: WatchOptions | null,
): Watcher {
  if (listener !== undefined && listener !== null && typeof listener !== 'function') {
    throw invalidType('listener', 'a function, or null before the options', listener)
  }
  const { signal, ref } = toOptions(options)
  const edge = toMode(options?.mode ?? 'level', ['level', 'edge']) === toMode('edge', ['edge'])
  return Watcher.open({
    key: KEY,
    fd: fileno(fd),
    interest: toInterest(interest),
    edge,
    listener: listener ?? undefined,
    referenced: ref ?? true,
    signal,
  })
}

const DONE = Object.freeze({ done: true, value: undefined } as const)

// JavaScript knows no private constructors.
const KEY = Symbol('watch')

interface Terms {
  key: typeof KEY
  fd: number
  interest: number
  edge: boolean
  listener: WatchListener | undefined
  referenced: boolean
  signal: AbortSignal | undefined
}

// An iterator that nobody holds cannot tell anybody anything: its registration is given back. A watcher with a listener is
// held by the reactor while it is open.
const dropped = new FinalizationRegistry<() => void>((release) => release())

// Outside the class, and apart: what the reactor and the signal hold must not hold an iterator, and a closure holds all that
// its neighbours in the same scope use.
const closeOf = (watcher: Watcher) => (): void => watcher.close()
const closeWeakly = (watcher: WeakRef<Watcher>) => (): void => watcher.deref()?.close()

/** Has the watcher closed with its descriptor and by its signal; the function returned gives everything back. */
function attach(close: () => void, source: Source, fd: number, signal: AbortSignal | undefined): () => void {
  const withdraw = reactor.beforeClose(fd, close)
  const unsubscribe = signal && onAbort(signal, close)
  return () => {
    withdraw()
    unsubscribe?.()
    source.close()
  }
}

/** One descriptor under watch; made by {@link watch}. */
export class Watcher implements AsyncIterable<number>, Disposable {
  /** The descriptor's number. */
  readonly fd: number
  #interest: number
  #referenced: boolean
  #source: Source | undefined
  #release: () => void = () => {}

  private constructor({ key, fd, interest, edge, listener, referenced, signal }: Terms) {
    if (key !== KEY) throw illegalConstructor('Watchers are made by watch()')
    this.fd = fd
    this.#interest = interest
    this.#referenced = referenced
    if (signal?.aborted) return
    const source =
      listener !== undefined
        ? new ListenerSource(fd, interest, edge, referenced, this.#caller(listener))
        : edge
          ? new EdgeSource(fd, interest, referenced)
          : new LevelSource(fd, interest, referenced)
    this.#source = source

    try {
      this.#release = attach(
        listener === undefined ? closeWeakly(new WeakRef(this)) : closeOf(this),
        source,
        fd,
        signal,
      )
    } catch (error) {
      source.close() // a signal of the program's own making refused
      throw error
    }
    if (listener === undefined) dropped.register(this, this.#release, this)
  }

  /** @internal Watchers come from watch() alone; its checks are the only ones. */
  static open(terms: Terms): Watcher {
    return new Watcher(terms)
  }

  /** Whether it was closed, by whichever of its ends. */
  get closed(): boolean {
    return this.#source === undefined
  }

  /**
   * What is reported, beside `HANGUP` and `ERROR`; 0 lets the watcher sleep. Setting it takes effect at once.
   *
   * @throws FdError `EBADF`: the descriptor was closed meanwhile.
   */
  get interest(): number {
    return this.#interest
  }
  set interest(interest: number) {
    this.#interest = toInterest(interest)
    this.#source?.setInterest(interest)
  }

  /** Lets it keep the process alive while it waits, as it does from the start unless `ref: false` was given. */
  ref(): this {
    return this.#setReferenced(true)
  }
  /** Lets the process end while it waits. */
  unref(): this {
    return this.#setReferenced(false)
  }
  /** Whether it keeps the process alive while it waits. */
  hasRef(): boolean {
    return this.#referenced && !this.closed
  }
  #setReferenced(referenced: boolean): this {
    this.#referenced = referenced
    this.#source?.setReferenced(referenced)
    return this
  }

  /** Ends the registration; the descriptor stays open. The listener is not called again, and iterations end. */
  close(): void {
    if (this.#source === undefined) return
    this.#source = undefined
    dropped.unregister(this)
    this.#release()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /**
   * Readiness bits, one set for each `next()`. Ends when the watcher is closed; leaving a `for await` closes it. Throws
   * {@link FdError} `EBADF` when the descriptor is found closed or replaced.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<number> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close()
        return Promise.resolve(DONE)
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  async #next(): Promise<IteratorResult<number, undefined>> {
    const source = this.#source
    if (source === undefined) return DONE
    if (source.next === undefined)
      throw invalidState('This watcher has a listener; iterate over one that was made without')
    try {
      const ready = await source.next()
      return ready === undefined ? DONE : { done: false, value: ready }
    } catch (error) {
      this.close()
      throw error
    }
  }

  #caller(listener: WatchListener): reactor.Tell {
    const resource = new AsyncResource('FDEVENT_WATCHER')
    return (ready, failed) => {
      // Bits that were on their way when the interest changed, or the watcher was closed, are nobody's.
      const wanted = failed === undefined ? ready & (this.#interest | HANGUP | ERROR) : ERROR
      if (this.#source === undefined || wanted === 0) return
      // The descriptor is gone: a last call, so that the listener learns it from its own next read.
      if (failed !== undefined) this.close()
      try {
        resource.runInAsyncScope(listener, undefined, wanted, this)
      } catch (error) {
        binding.uncaught(error)
      }
    }
  }
}
