/**
 * `fdevent/process`: waiting for the end of a process.
 *
 * @module
 */
import { constants } from './builtins.js'
import { binding } from './binding.js'
import { FdError, invalidType, outOfRange } from './errors.js'
import { close } from './io/calls.js'
import { toOptions, type WaitOptions } from './options.js'
import { type Seconds, toSeconds } from './seconds.js'
import { readable } from './wait.js'

/**
 * Waits until a process has ended: any process, not only a child of this one.
 *
 * Numbers of processes are used again. From the moment of the call the wait is for one process, whatever takes its number
 * later (Linux: a pidfd). Before that moment nobody but the parent can be sure: a number read from a file may be another
 * process by now. A parent is sure until it has collected the exit status, which Node does before it emits `'exit'`.
 *
 * @param pid - 1 to 2^31-1.
 * @param timeout - Seconds, as for {@link readable}; `0` asks for the present state.
 * @returns `true` when it has ended, also if that was before the call or there never was such a process; `false` when the time
 *   has passed. A process that has ended and is not yet collected by its parent (a zombie) has ended.
 *
 * Rejects with {@link FdError} `EINVAL` or `ENOENT` where the number is that of a thread, `ENOSYS` on Linux before 5.3,
 * `EMFILE`; with `AbortError`; with `TypeError` and `RangeError` for its arguments.
 */
export async function exited(pid: number, timeout?: Seconds | null, options?: WaitOptions | null): Promise<boolean> {
  if (typeof pid !== 'number') throw invalidType('pid', 'a number', pid)
  if (!Number.isInteger(pid) || pid < 1 || pid > 2 ** 31 - 1) {
    throw outOfRange('pid', 'an integer from 1 to 2^31-1', pid)
  }
  toSeconds(timeout)
  toOptions(options)
  const fd = binding.openProcess(pid)
  if (fd === -constants.errno.ESRCH) return true
  if (fd < 0) throw new FdError(fd, binding.openProcessName, -1)
  try {
    return await readable(fd, timeout, options)
  } finally {
    close(fd)
  }
}
