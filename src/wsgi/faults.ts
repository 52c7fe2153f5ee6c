/**
 * What ends a request, and what is told about it.
 *
 * @module
 */
import type { ErrorStream } from './types.js'

/** An application, or middleware in front of it, broke a rule; the message says which, and what to do instead. */
export class WsgiError extends Error {
  override readonly name = 'WsgiError'
  readonly code = 'ERR_WSGI_RULE'
}

/** The body is longer than `maxBody`. Not caught, it is answered with 413. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'
  readonly code = 'ERR_BODY_TOO_LARGE'

  constructor(maxBody: number) {
    super(`the request's body is longer than ${maxBody} bytes, the gateway's option \`maxBody\``)
  }
}

/** The client left before the whole body had arrived. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
  readonly code = 'ERR_CLIENT_GONE'

  constructor() {
    super('the client left before the whole body had arrived')
  }
}

/** How a value is named in a message about its type. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  if (typeof value !== 'object') return `a ${typeof value}`
  const name = (value.constructor as { name?: unknown } | undefined)?.name
  if (name === 'Promise') return 'a promise'
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `an instance of ${name}` : 'an object'
}

/** `wsgi.errors` over whatever can write text. */
export function errorStream(target: { write(text: string): unknown }): ErrorStream {
  return {
    write: (text) => void target.write(text),
    writelines: (lines) => {
      for (const line of lines) target.write(line)
    },
    flush: () => {},
  }
}

/** Tells the operator. A log that cannot be written to harms nobody. */
export function report(errors: ErrorStream, method: string, url: string, during: string, error: unknown): void {
  try {
    // Quoted: a URL must not be able to forge lines of a log.
    errors.write(`fdevent/wsgi: ${method} ${JSON.stringify(url)}: ${during}: ${describe(error)}\n`)
  } catch {
    // Nowhere is left to tell.
  }
}

function describe(error: unknown): string {
  try {
    if (error instanceof Error) {
      const cause = error.cause === undefined ? '' : `\n  cause: ${describe(error.cause)}`
      return `${error.stack ?? String(error)}${cause}`
    }
    return `${kindOf(error)} was thrown, which is no Error: ${String(error)}`
  } catch {
    return 'what was thrown cannot be turned into text'
  }
}
