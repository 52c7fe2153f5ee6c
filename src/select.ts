import { invalidType } from './errors.js'
import { type FdLike, fileno } from './fileno.js'
import { toOptions, type WaitOptions } from './options.js'
import * as reactor from './reactor.js'
import { PRIORITY, READABLE, WRITABLE } from './readiness.js'
import { type Seconds, toSeconds } from './seconds.js'

/** The complete lists, in the order given, of the very objects passed in. */
export interface Selection<Read, Write = Read, Except = Read> {
  readable: Read[]
  writable: Write[]
  exceptional: Except[]
}

/**
 * select(2) without FD_SETSIZE: waits until at least one descriptor is ready in the way its list asks.
 *
 * @param read - Wanted readable: data, end of file, hang-up or error.
 * @param write - Wanted writable: room, or an error.
 * @param except - Wanted exceptional: out-of-band data.
 * @param timeout - As for {@link readable}. With three empty lists, a sleep of that many seconds.
 * @returns All that are ready when the first one is; three empty lists on timeout. A descriptor may stand in several
 *   lists, and several times in one.
 *
 * Rejects like {@link readable}. One descriptor that is not open fails the whole call with `EBADF`, as in select(2).
 */
export function select<Read extends FdLike, Write extends FdLike, Except extends FdLike>(
  read: Iterable<Read>,
  write: Iterable<Write>,
  except: Iterable<Except>,
  timeout?: Seconds | null,
  options?: WaitOptions | null,
): Promise<Selection<Read, Write, Except>> {
  try {
    const seconds = toSeconds(timeout)
    const { signal, ref } = toOptions(options)
    const lists = new Lists(read, write, except)
    return reactor.pending(
      () => reactor.native.startSelect(lists.pairs, seconds, ref ?? true),
      () => lists.first,
      signal,
      { value: (_outcome, slot) => lists.selection(slot) },
    )
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Three lists as the addon takes them, and its answer as lists. */
export class Lists<Read extends FdLike, Write extends FdLike, Except extends FdLike> {
  /** Descriptor, interest; each descriptor once. */
  readonly pairs: Int32Array
  readonly #readable: Named<Read>[]
  readonly #writable: Named<Write>[]
  readonly #exceptional: Named<Except>[]

  constructor(read: Iterable<Read>, write: Iterable<Write>, except: Iterable<Except>) {
    const interests = new Map<number, number>()
    this.#readable = collect('read', read, READABLE, interests)
    this.#writable = collect('write', write, WRITABLE, interests)
    this.#exceptional = collect('except', except, PRIORITY, interests)
    this.pairs = Int32Array.from([...interests].flat())
  }

  /** The first descriptor or, after the addon has refused one, that one. */
  get first(): number {
    return this.pairs[0] ?? -1
  }

  /** During the dispatch of the select's record: what is ready. */
  selection(slot: number): Selection<Read, Write, Except> {
    reactor.native.selection(slot, this.pairs)
    const ready = new Map<number, number>()
    for (let i = 0; i < this.pairs.length; i += 2) ready.set(this.pairs[i] as number, this.pairs[i + 1] as number)
    const pick = <T>(list: Named<T>[], bit: number): T[] =>
      list.filter(({ fd }) => (ready.get(fd) ?? 0) & bit).map(({ target }) => target)
    return {
      readable: pick(this.#readable, READABLE),
      writable: pick(this.#writable, WRITABLE),
      exceptional: pick(this.#exceptional, PRIORITY),
    }
  }
}

interface Named<T> {
  target: T
  fd: number
}

function collect<T extends FdLike>(
  name: string,
  list: Iterable<T>,
  bit: number,
  interests: Map<number, number>,
): Named<T>[] {
  if (typeof list !== 'object' || list === null || typeof list[Symbol.iterator] !== 'function') {
    throw invalidType(name, 'an iterable of descriptors', list)
  }
  return Array.from(list, (target) => {
    const fd = fileno(target)
    interests.set(fd, (interests.get(fd) ?? 0) | bit)
    return { target, fd }
  })
}
