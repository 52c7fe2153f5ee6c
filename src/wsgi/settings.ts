import cluster from 'node:cluster'
import { invalidType, outOfRange } from '../errors.js'
import { errorStream } from './faults.js'
import type { ErrorStream, GatewayOptions } from './types.js'

/** The options, checked, once for a gateway. */
export interface Settings {
  readonly streaming: boolean
  readonly spoolAbove: number
  readonly maxBody: number
  readonly errors: ErrorStream
  readonly multiprocess: boolean
}

const MIB = 2 ** 20

export function toSettings(options: GatewayOptions = {}): Settings {
  if (typeof options !== 'object' || options === null) throw invalidType('options', 'an object', options)
  const { input = 'buffered', spoolAbove = MIB, maxBody = 100 * MIB, errors = process.stderr } = options
  if (typeof input !== 'string') throw invalidType('options.input', "'buffered' or 'streaming'", input)
  if (input !== 'buffered' && input !== 'streaming') {
    throw outOfRange('options.input', "'buffered' or 'streaming'", input)
  }
  if (typeof (errors as { write?: unknown } | null)?.write !== 'function') {
    throw invalidType('options.errors', 'an object with write(text)', errors)
  }
  return {
    streaming: input === 'streaming',
    spoolAbove: toBytes('options.spoolAbove', spoolAbove),
    maxBody: toBytes('options.maxBody', maxBody),
    errors: errorStream(errors),
    multiprocess: cluster.isWorker,
  }
}

function toBytes(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidType(name, 'a number of bytes', value)
  if (!(value >= 0)) throw outOfRange(name, 'a number of bytes >= 0', value)
  return value
}
