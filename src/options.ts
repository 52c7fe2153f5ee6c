import { invalidType } from './errors.js'

/** What every wait accepts beside its timeout. */
export interface WaitOptions {
  /** Ends the wait: it rejects with an `AbortError` (`code: 'ABORT_ERR'`, `cause: signal.reason`). */
  signal?: AbortSignal | undefined
  /** Whether the pending wait keeps the process alive. Default `true`. */
  ref?: boolean | undefined
}

const NONE: WaitOptions = Object.freeze({})

/** The one rule for options: absent ones mean the defaults, anything of another type is an error. */
export function toOptions(options: WaitOptions | null | undefined): WaitOptions {
  if (options === undefined || options === null) return NONE
  if (!isOptions(options)) throw invalidType('options', 'an object', options)
  if ('timeout' in options) throw invalidType('options', 'without a timeout, which has a place of its own', options)
  const { signal, ref } = options
  if (signal !== undefined && !isAbortSignal(signal)) throw invalidType('options.signal', 'an AbortSignal', signal)
  if (ref !== undefined && typeof ref !== 'boolean') throw invalidType('options.ref', 'a boolean', ref)
  return options
}

/** Whether this can be options: any object but those that are something else (an array, a Date, a buffer). */
export function isOptions(value: unknown): value is WaitOptions {
  return typeof value === 'object' && Object.prototype.toString.call(value) === '[object Object]'
}

// By shape: a signal may come from another realm or from a polyfill.
function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' &&
    value !== null &&
    'aborted' in value &&
    typeof (value as AbortSignal).addEventListener === 'function' &&
    typeof (value as AbortSignal).removeEventListener === 'function'
  )
}
