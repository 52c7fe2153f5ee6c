import { type FdLike, fileno } from './fileno.js'
import { isOptions, toOptions, type WaitOptions } from './options.js'
import * as reactor from './reactor.js'
import { PRIORITY, READABLE, WRITABLE } from './readiness.js'
import { type Seconds, toSeconds } from './seconds.js'

/**
 * Waits until `fd` is readable: until `select([fd], [], [fd], timeout)` would return.
 *
 * Data counts, and so do an end of file, a hang-up, a pending error and an exceptional condition: everything after
 * which a read does not block. Regular files, directories and /dev/null are always readable. Nothing is read, and the
 * descriptor's flags stay as they are.
 *
 * Any number of waits may share one descriptor, also one that Node itself is using.
 *
 * @param fd - A descriptor or an object that has one; see {@link FdLike}.
 * @param timeout - Seconds, fractions included, counted by the monotonic clock. `null`, `undefined`, `Infinity` and
 *   anything above 146 years never end; `0` asks for the present state.
 * @param options - `signal` and `ref`; accepted in second place too.
 * @returns `true` when select(2) would have returned something, `false` when the full time has passed. Settles after a
 *   turn of the event loop at the earliest, so a loop on an always-ready descriptor starves nothing.
 *
 * Rejects, and never throws, with
 * - `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for its arguments, before any system call;
 * - {@link FdError} `EBADF`: not open, announced by {@link closing}, or found closed or replaced by the next wait on that
 *   number or at this wait's deadline. A descriptor closed without a word is not noticed earlier: the kernel does not
 *   tell;
 * - {@link FdError} with the kernel's code where it refuses the descriptor;
 * - `AbortError`.
 */
export function readable(
  fd: FdLike,
  timeout?: Seconds | WaitOptions | null,
  options?: WaitOptions | null,
): Promise<boolean> {
  return wait(fd, READABLE | PRIORITY, timeout, options)
}

/**
 * Waits until `fd` is writable: until `select([], [fd], [fd], timeout)` would return.
 *
 * Room for data counts, and so do a pending error, an exceptional condition, and the end of a connection attempt,
 * successful or not. A hang-up alone does not: the read end of a pipe whose writer has closed never is writable.
 *
 * Parameters, result and errors are those of {@link readable}.
 */
export function writable(
  fd: FdLike,
  timeout?: Seconds | WaitOptions | null,
  options?: WaitOptions | null,
): Promise<boolean> {
  return wait(fd, WRITABLE | PRIORITY, timeout, options)
}

/**
 * Call it just before you close a descriptor: every pending wait on it rejects at once with {@link FdError} `EBADF`, and
 * the number may be reused immediately.
 *
 * A number that nobody waits on, or that is not open, is no error, and neither is an object that has no descriptor any
 * more.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`: `fd` cannot name a descriptor.
 */
export function closing(fd: FdLike): void {
  let number: number
  try {
    number = fileno(fd)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EBADF') return
    throw error
  }
  reactor.close(number)
}

function wait(
  target: FdLike,
  interest: number,
  timeout: Seconds | WaitOptions | null | undefined,
  options: WaitOptions | null | undefined,
): Promise<boolean> {
  try {
    if (isOptions(timeout) && (options === undefined || options === null)) return wait(target, interest, null, timeout)
    const fd = fileno(target)
    const seconds = toSeconds(timeout as Seconds | null | undefined)
    if (options === undefined) return reactor.wait(fd, interest, seconds, true)
    const { signal, ref } = toOptions(options)
    return reactor.wait(fd, interest, seconds, ref ?? true, signal)
  } catch (error) {
    return Promise.reject(error)
  }
}
