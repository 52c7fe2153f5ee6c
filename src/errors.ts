/**
 * Every error the library makes, each with a stable `code`.
 *
 * @module
 */
import { constants, getSystemErrorMap } from './builtins.js'

/**
 * A system call failed on a descriptor.
 *
 * - `EBADF`: the descriptor is not open, was closed while something waited on it, or its number was given to another
 *   object meanwhile.
 * - `EINVAL`, `ELOOP`: the descriptor cannot be waited for from here (the library's own poller, a cycle of pollers).
 * - `ENOMEM`, `ENOSPC` (fs.epoll.max_user_watches), `EMFILE`, `ENFILE`: the system's limits.
 */
export class FdError extends Error {
  override readonly name = 'FdError'
  /** The symbolic name, such as `'EBADF'`: the stable thing to test. */
  readonly code: string
  /** The system's number, negated, as in Node's own system errors. */
  readonly errno: number
  /** The system call that failed, or the call that interrupted the wait (`'close'`). */
  readonly syscall: string
  /** The descriptor at fault; -1 where no single one is. */
  readonly fd: number
  /** Of a write by `AsyncFd`: how many bytes had gone before. */
  declare bytesWritten?: number

  constructor(errno: number, syscall: string, fd: number, reason?: string) {
    const negated = -Math.abs(errno)
    const code = nameOf(-negated)
    const text = reason ?? getSystemErrorMap().get(negated)?.[1] ?? `error ${-negated}`
    super(`${code}: ${text}, ${syscall}${fd < 0 ? '' : ` on descriptor ${fd}`}`)
    this.code = code
    this.errno = negated
    this.syscall = syscall
    this.fd = fd
  }
}

// Of Node's two tables of errors this one is complete for the system; the other, with the messages, has only what
// libuv itself may return, and lacks EINPROGRESS for one.
function nameOf(errno: number): string {
  const found = Object.entries(constants.errno).find(([, value]) => value === errno)
  return found?.[0] ?? 'UNKNOWN'
}

/** The descriptor named is not open, or is about to be closed. */
export function badDescriptor(syscall: string, fd: number, reason: string): FdError {
  return new FdError(constants.errno.EBADF, syscall, fd, reason)
}

/** A wait ended because its `signal` was aborted; `cause` is the signal's reason. */
export class AbortError extends Error {
  override readonly name = 'AbortError'
  readonly code = 'ABORT_ERR'
  /** Of a write by `AsyncFd`: how many bytes had gone before. */
  declare bytesWritten?: number

  constructor(cause: unknown) {
    super('The wait was aborted', { cause })
  }
}

/** What a caller passed has the wrong type. */
export function invalidType(name: string, expected: string, actual: unknown): TypeError {
  return Object.assign(new TypeError(`${name} must be ${expected}, not ${describe(actual)}`), {
    code: 'ERR_INVALID_ARG_TYPE',
  })
}

/** What a caller passed has the right type and no meaning here. */
export function outOfRange(name: string, expected: string, actual: unknown): RangeError {
  return Object.assign(new RangeError(`${name} must be ${expected}, not ${describe(actual)}`), {
    code: 'ERR_OUT_OF_RANGE',
  })
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)
  if (typeof value === 'function') return `a function`
  if (typeof value === 'bigint') return `the bigint ${value}n`
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return 'an array'
  const name = value.constructor?.name ?? 'Object'
  return name === 'Object' ? 'an object' : `an instance of ${name}`
}

/** A call that makes no sense in the object's present state. */
export function invalidState(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_INVALID_STATE' })
}

/** A setting of the environment that means nothing. */
export function invalidSetting(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_FDEVENT_DRIVER' })
}

/** The library does not work on this system, or its addon is missing; `message` says what to do. */
export function unavailable(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: 'ERR_FDEVENT_PLATFORM' })
}

/** A class that only the library may construct. */
export function illegalConstructor(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_ILLEGAL_CONSTRUCTOR' })
}
