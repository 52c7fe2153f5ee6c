/**
 * What the command line says.
 *
 * @module
 */
import { parseArgs } from 'node:util'
import { Failure } from './failure.js'

export interface Settings {
  /** As it was given. */
  file: string
  host: string
  port: number
  workers: number
  /** Seconds. */
  grace: number
  /** Bytes; undefined: whatever the module says. */
  maxBody: number | undefined
}

export const HELP = `usage: fdevent-serve FILE [options]

Serves the application that FILE exports as default or by the name \`application\`, over HTTP.
The module may also export \`options\` for the gateway: input, spoolAbove, maxBody, errors.

  --host H          address to listen on; default 127.0.0.1
  --port N          port; default 8000, 0 takes any free one
  --workers N       processes; default 1
  --grace SECONDS   how long unfinished requests may go on after SIGTERM or SIGINT; default 10
  --max-body BYTES  longer request bodies are answered with 413; default 104857600, Infinity: no limit
  --version         prints the version
  --help            prints this
`

const OPTIONS = {
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '8000' },
  workers: { type: 'string', default: '1' },
  grace: { type: 'string', default: '10' },
  'max-body': { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

// Timers of Node count milliseconds in 31 bits.
const LONGEST_GRACE = 2_000_000
const MOST_WORKERS = 1024

/** @throws Failure. */
export function parseCommandLine(args: readonly string[]): Settings | 'help' | 'version' {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  if (values.version) return 'version'
  const [file, ...more] = positionals
  if (file === undefined) throw usage('a file is needed: fdevent-serve app.mjs')
  if (more.length > 0) throw usage(`one file only, not also ${more.join(' ')}`)
  const host = values.host.replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw usage('--host must not be empty')
  return {
    file,
    host,
    port: integer('port', values.port, 0, 65_535),
    workers: integer('workers', values.workers, 1, MOST_WORKERS),
    grace: seconds('grace', values.grace),
    maxBody: values['max-body'] === undefined ? undefined : bytes('max-body', values['max-body']),
  }
}

/** The other direction, for another process of the same program. */
export function toArguments({ file, host, port, grace, maxBody }: Settings): string[] {
  const limit = maxBody === undefined ? [] : [`--max-body=${maxBody}`]
  return [`--host=${host}`, `--port=${port}`, `--grace=${grace}`, ...limit, '--', file]
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  } catch (error) {
    // The first sentence; what follows is advice on how to name such a file.
    const [what] = (error as Error).message.split(/[.\n](?: |$)/, 1) as [string]
    throw usage(what[0]?.toLowerCase() + what.slice(1))
  }
}

function usage(message: string): Failure {
  return new Failure(`${message} (--help lists the options)`, 2)
}

const DIGITS = /^\d{1,15}$/

function integer(name: string, text: string, least: number, most: number): number {
  const value = DIGITS.test(text) ? Number(text) : NaN
  if (value >= least && value <= most) return value
  throw usage(`--${name} must be an integer from ${least} to ${most}, not ${JSON.stringify(text)}`)
}

function seconds(name: string, text: string): number {
  const value = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN
  if (value <= LONGEST_GRACE) return value
  throw usage(`--${name} must be a number of seconds from 0 to ${LONGEST_GRACE}, not ${JSON.stringify(text)}`)
}

function bytes(name: string, text: string): number {
  if (text === 'Infinity') return Number.POSITIVE_INFINITY
  if (DIGITS.test(text)) return Number(text)
  throw usage(`--${name} must be a number of bytes or Infinity, not ${JSON.stringify(text)}`)
}
