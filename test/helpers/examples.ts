/** The applications of examples/wsgi. */
import type { Application, GatewayOptions } from 'fdevent/wsgi'
import { statistics } from 'fdevent'
import { eventually } from './owned.js'
import { type Raw, serve, type Served } from './wsgi.js'

export interface Example {
  default: Application
  options?: GatewayOptions
}

/** One of them, or a module that they share. */
export async function importExample(name: string): Promise<unknown> {
  return import(new URL(`../../examples/wsgi/${name}.mjs`, import.meta.url).href)
}

/** Serves one of them for the length of the test. */
export async function serveExample(name: string, options: GatewayOptions = {}): Promise<Served> {
  const example = (await importExample(name)) as Example
  return serve(example.default, { ...example.options, ...options })
}

/** Clients of requests that end only so go, and with them everything that was waited for. */
export async function leave(...clients: Raw[]): Promise<void> {
  for (const client of clients) client.destroy()
  await eventually(() => statistics().waits).toBe(0)
}
