import { invalidType, outOfRange } from './errors.js'

/**
 * A span of time in seconds, fractions included: the unit of select(2) and of every timeout in this library.
 * `0` asks for the present state; `Infinity` never comes.
 */
export type Seconds = number

/** The one rule for timeouts: `null` and `undefined` mean never, and so does any span above 146 years. */
export function toSeconds(timeout: Seconds | null | undefined): Seconds {
  if (timeout === undefined || timeout === null) return Number.POSITIVE_INFINITY
  if (typeof timeout !== 'number') throw invalidType('timeout', 'a number of seconds or null', timeout)
  if (!(timeout >= 0)) throw outOfRange('timeout', 'a number of seconds >= 0', timeout)
  return timeout
}
