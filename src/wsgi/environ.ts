/**
 * A request as the plain object that applications are given.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import { hostname } from 'node:os'
import type { AsyncInput, InputStream } from './input.js'
import { fileWrapper } from './file-wrapper.js'
import type { Settings } from './settings.js'
import type { Timeout } from './timeout.js'
import type { Environ, SelectCall, SuspendCall, WaitCall } from './types.js'

/** What the request's own objects are. */
export interface Parts {
  input: InputStream
  readable: WaitCall
  writable: WaitCall
  select: SelectCall
  suspend: SuspendCall
  timeout: Timeout
  /** Length of a body whose length the client did not give, or -1. */
  length: number
  /** What is only made if asked for. */
  lazy: { readonly signal: AbortSignal }
}

const PROTOCOLS: Readonly<Record<string, string>> = { '1.0': 'HTTP/1.0', '1.1': 'HTTP/1.1', '2.0': 'HTTP/2.0' }
const VERSION = Object.freeze([1, 0] as const)

const SIGNAL = Symbol('fdevent.signal')

// One for all requests, so that they share a hidden class.
const signalProperty: PropertyDescriptor & ThisType<{ [SIGNAL]: Parts['lazy'] }> = {
  get() {
    return this[SIGNAL].signal
  },
  set(value: unknown) {
    Object.defineProperty(this, 'fdevent.signal', { value, writable: true, enumerable: true, configurable: true })
  },
  enumerable: true,
  configurable: true,
}

export function createEnviron(req: IncomingMessage, res: ServerResponse, settings: Settings, parts: Parts): Environ {
  const { socket, headers } = req
  const { url = '/', baseUrl = '', originalUrl = url } = req as { url?: string; baseUrl?: string; originalUrl?: string }
  const { readable, writable } = parts
  const mark = url.indexOf('?')
  const secure = (socket as { encrypted?: boolean }).encrypted === true
  const server = whereabouts((socket as { server?: Server }).server, secure)
  const environ = {
    REQUEST_METHOD: req.method,
    SCRIPT_NAME: baseUrl === '' ? '' : decoded(baseUrl),
    PATH_INFO: decoded(pathOf(mark < 0 ? url : url.slice(0, mark))),
    QUERY_STRING: mark < 0 ? '' : url.slice(mark + 1),
    REQUEST_URI: originalUrl,
    SERVER_NAME: server.name,
    SERVER_PORT: server.port,
    SERVER_PROTOCOL: PROTOCOLS[req.httpVersion] ?? `HTTP/${req.httpVersion}`,
    REMOTE_ADDR: socket.remoteAddress ?? '',
    REMOTE_PORT: String(socket.remotePort ?? ''),
    'wsgi.version': VERSION,
    'wsgi.url_scheme': secure ? 'https' : 'http',
    'wsgi.input': parts.input,
    'wsgi.input_terminated': true,
    'wsgi.errors': settings.errors,
    'wsgi.multithread': false,
    'wsgi.multiprocess': settings.multiprocess,
    'wsgi.run_once': false,
    'wsgi.file_wrapper': fileWrapper,
    'awsgi.version': VERSION,
    'awsgi.input': undefined as AsyncInput | undefined,
    'awsgi.readable': readable,
    'awsgi.writable': writable,
    'awsgi.timeout': false,
    'x-wsgiorg.async.input': undefined as AsyncInput | undefined,
    'x-wsgiorg.async.readable': readable,
    'x-wsgiorg.async.writable': writable,
    'x-wsgiorg.async.timeout': false,
    'x-wsgiorg.fdevent.readable': readable,
    'x-wsgiorg.fdevent.writable': writable,
    'x-wsgiorg.fdevent.timeout': parts.timeout,
    'x-wsgiorg.suspend': parts.suspend,
    'x-wsgiorg.suspend_status': false,
    'fdevent.select': parts.select,
    'fdevent.request': req,
    'fdevent.response': res,
    [SIGNAL]: parts.lazy,
  } as unknown as Environ
  Object.defineProperty(environ, 'fdevent.signal', signalProperty)
  for (const name in headers) addHeader(environ, name, headers[name])
  if (parts.length >= 0) {
    environ.CONTENT_LENGTH = String(parts.length)
    // What a proxy would otherwise pass on beside a length.
    delete environ['HTTP_TRANSFER_ENCODING']
  }
  return environ
}

interface Whereabouts {
  name: string
  port: string
}

// Asked for once: each connection's own address would cost it a system call, and memory.
const servers = new WeakMap<Server, Whereabouts>()

/** What a server is bound to. */
function whereabouts(server: Server | undefined, secure: boolean): Whereabouts {
  const known = server && servers.get(server)
  if (known !== undefined) return known
  const address = server?.address()
  const bound = typeof address === 'object' && address !== null
  const found = {
    name: !bound ? 'localhost' : /^(0\.0\.0\.0|::)$/.test(address.address) ? hostname() : address.address,
    port: String(bound ? address.port : secure ? 443 : 80),
  }
  // Closed, it has none any more, and may yet be bound elsewhere.
  if (server?.listening === true) {
    servers.set(server, found)
    server.once('close', () => servers.delete(server))
  }
  return found
}

/** A request's target may be a whole URL. */
function pathOf(target: string): string {
  return target.startsWith('/') ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '')
}

function decoded(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    // Part of it is not UTF-8, or no escape at all; that part stays.
    return path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
      try {
        return decodeURIComponent(escapes)
      } catch {
        return escapes
      }
    })
  }
}

const OMITTED = ''
// Bounded: a client may send what names it likes.
const REMEMBERED = 1000
const keys = new Map<string, string>()

function addHeader(environ: Environ, name: string, value: string | string[] | undefined): void {
  const key = keys.get(name) ?? keyOf(name)
  if (key === OMITTED || value === undefined) return
  environ[key] = typeof value === 'string' ? value : value.join(', ')
}

function keyOf(name: string): string {
  const key = named(name)
  if (keys.size < REMEMBERED) keys.set(name, key)
  return key
}

function named(name: string): string {
  switch (name) {
    case 'content-type':
      return 'CONTENT_TYPE'
    case 'content-length':
      return 'CONTENT_LENGTH'
    case ':authority':
      return 'HTTP_HOST'
    case 'proxy':
      // Programs take HTTP_PROXY for the operator's own setting.
      return OMITTED
  }
  // x_user would be indistinguishable from x-user, which a proxy in front may vouch for.
  if (name.startsWith(':') || name.includes('_')) return OMITTED
  return `HTTP_${name.toUpperCase().replaceAll('-', '_')}`
}
