import type { Environ } from './types.js'

/**
 * `x-wsgiorg.fdevent.timeout`: whether the last suspension ended because its time had passed. One object for a request, changed
 * in place, so that copies of `environ` see it too.
 *
 * Every object is truthy in JavaScript, this one too: ask for `expired`. Like a list it is empty, `length` 0, when false.
 */
export class Timeout {
  expired = false

  /** 1 or 0. */
  get length(): 0 | 1 {
    return this.expired ? 1 : 0
  }
  get 0(): true | undefined {
    return this.expired || undefined
  }
  *[Symbol.iterator](): Generator<true> {
    if (this.expired) yield true
  }
  valueOf(): boolean {
    return this.expired
  }
  toString(): string {
    return String(this.expired)
  }
  toJSON(): boolean {
    return this.expired
  }
}

/** Sets the timeout variables of every generation, after a wait, or the status of `suspend`, which has its own. */
export function noteTimeout(
  environ: Environ,
  { expired, wasSuspend }: { expired: boolean; wasSuspend: boolean },
): void {
  if (wasSuspend) {
    environ['x-wsgiorg.suspend_status'] = expired
    return
  }
  environ['awsgi.timeout'] = expired
  environ['x-wsgiorg.async.timeout'] = expired
  environ['x-wsgiorg.fdevent.timeout'].expired = expired
}
