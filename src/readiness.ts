/** Interest and readiness bits; native/sys/readiness.h has the same numbers. */

import { invalidType, outOfRange } from './errors.js'

/** Data, an end of file, or a connection to accept. */
export const READABLE = 1
/** Room to write, or a connection attempt that has ended. */
export const WRITABLE = 2
/** Exceptional: out-of-band data of TCP, a packet-mode pty's state, an attribute of sysfs. */
export const PRIORITY = 4
/** The other side hung up. Reported whether asked for or not. */
export const HANGUP = 8
/** An error is pending (SO_ERROR of a socket), or a pipe's reader is gone. Reported whether asked for or not. */
export const ERROR = 16

const ALL = READABLE | WRITABLE | PRIORITY | HANGUP | ERROR

/** The one rule for an interest: bits of the five constants, or 0. */
export function toInterest(interest: number): number {
  if (typeof interest !== 'number') throw invalidType('interest', 'a number', interest)
  if (!Number.isInteger(interest) || interest < 0 || interest > ALL) {
    throw outOfRange('interest', 'READABLE, WRITABLE, PRIORITY, HANGUP, ERROR or a combination of them', interest)
  }
  return interest
}

/** How a registration reports. Its index is the number that the addon takes. */
const MODES = ['oneshot', 'level', 'edge'] as const
export type Mode = (typeof MODES)[number]

/** The one rule for a mode: one of those allowed here, by name. */
export function toMode(mode: unknown, allowed: readonly Mode[]): number {
  if (typeof mode !== 'string') throw invalidType('mode', 'a string', mode)
  if (!allowed.includes(mode as Mode))
    throw outOfRange('mode', `one of ${allowed.map((name) => `'${name}'`).join(', ')}`, mode)
  return MODES.indexOf(mode as Mode)
}
