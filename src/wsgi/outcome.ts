import type { Suspension } from './types.js'

/**
 * Suspends, and returns the outcome with its exact type:
 *
 * ```ts
 * const ready = yield* outcome(environ['x-wsgiorg.fdevent.readable'](fd, 1.0)) // boolean
 * ```
 *
 * A plain `yield` does the same; its value has type `any`.
 */
export function* outcome<T>(suspension: Suspension<T>): Generator<Suspension<T>, T, T> {
  return yield suspension
}
