import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { kindOf } from '../wsgi/faults.js'
import { gateway, type Listener } from '../wsgi/gateway.js'
import type { Application, GatewayOptions } from '../wsgi/types.js'
import { Failure } from './failure.js'

interface Exports {
  default?: unknown
  application?: unknown
  options?: unknown
}

/** @throws Failure: there is no such file. */
export function checkFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) throw new Failure(`there is no file ${file}`)
  if (found.isDirectory()) throw new Failure(`${file} is a directory; name the module in it`)
}

/** The gateway of a module's application. @throws Failure. */
export async function loadListener(file: string, maxBody: number | undefined): Promise<Listener> {
  const { application, options } = pick(await load(file), file)
  try {
    return gateway(application, maxBody === undefined ? options : { ...options, maxBody })
  } catch (error) {
    throw new Failure(`the options that ${file} exports: ${(error as Error).message}`)
  }
}

async function load(file: string): Promise<Exports> {
  checkFile(file)
  const { promise: unsettled, forget } = endOfWork()
  try {
    const url = pathToFileURL(resolve(file)).href
    const loaded = await Promise.race([import(url) as Promise<Exports>, unsettled])
    if (loaded !== undefined) return loaded
  } catch (error) {
    throw new Failure(`${file} could not be loaded: ${describe(error, file)}`)
  } finally {
    forget()
  }
  throw new Failure(`${file} was never loaded: a top-level await in it is not settled`)
}

/** Fulfilled when nothing is left that could go on: without a word the process would end there. */
function endOfWork(): { promise: Promise<undefined>; forget: () => void } {
  let tell = (): void => {}
  const promise = new Promise<undefined>((resolve) => (tell = () => resolve(undefined)))
  process.once('beforeExit', tell)
  // A worker's connection to its primary is nothing that the module waits for.
  process.channel?.unref()
  return {
    promise,
    forget: () => {
      process.off('beforeExit', tell)
      process.channel?.ref()
    },
  }
}

function pick(exports: Exports, file: string): { application: Application; options: GatewayOptions | undefined } {
  const { default: own, application: named, options } = exports
  const application = typeof own === 'function' ? own : named
  if (typeof application !== 'function') {
    const found = own ?? named
    throw new Failure(
      `${file} must export an application, a function, as default or by the name \`application\`` +
        (found === undefined ? '' : `, and exports ${kindOf(found)}`),
    )
  }
  return { application: application as Application, options: options as GatewayOptions | undefined }
}

function describe(error: unknown, file: string): string {
  if (!(error instanceof Error)) return `it threw ${String(error)}`
  // Node keeps the place of such an error to itself, unless it ends the process.
  const hint = error instanceof SyntaxError ? `\n\`node ${file}\` shows the place` : ''
  return `${error.stack ?? String(error)}${hint}`
}
