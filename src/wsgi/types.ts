/**
 * What an application and its server say to each other, typed.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FdLike } from '../fileno.js'
import type { Seconds } from '../seconds.js'
import type { Selection } from '../select.js'
import type { AsyncInput, InputStream } from './input.js'
import type { Timeout } from './timeout.js'

/** A piece of a response's body. Strings are sent as UTF-8. */
export type Chunk = string | Uint8Array

declare const outcome: unique symbol
/**
 * The empty string that `readable`, `writable` and `fdevent.select` return. Yield it: the request is suspended, and `yield`
 * evaluates to a `T` when it goes on. {@link outcome} types that per call.
 */
export type Suspension<T> = '' & { readonly [outcome]: T }

/**
 * What an application returns: an array, a generator, an async generator, a readable stream, or any other iterable of chunks. No
 * string and no buffer, which iterate by characters and by bytes: put it in an array.
 *
 * If it has a method `close`, the server calls it exactly once, at the end.
 */
// The last parameter is what `yield` evaluates to in a generator that is typed by its context: it depends on what was yielded.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Body = object & (Iterable<Chunk, unknown, any> | AsyncIterable<Chunk, unknown, any>)

/** Called for every request. */
export type Application = (environ: Environ, startResponse: StartResponse) => Body | Promise<Body>

/** Name and value; several of one name are sent as several header lines. */
export type HeaderList = Iterable<readonly [name: string, value: string]>

/**
 * Says status and headers. Nothing is sent yet: they go out with the first non-empty chunk, the first `write()`, or at the end.
 *
 * @param status - `'200 OK'`: three digits, a space, and a reason.
 * @param headers - Pairs of strings.
 * @param excInfo - The error for whose sake an earlier call is to be replaced. If the headers have gone, it is thrown again.
 * @returns `write(data)`, for programs that must push: what it is given is sent before whatever is yielded later.
 */
export type StartResponse = (status: string, headers: HeaderList, excInfo?: unknown) => Write
export type Write = (data: Chunk) => void

/** Suspends until the descriptor is ready, or until `timeout` seconds have passed; `null` or nothing: never. */
export type WaitCall = (fd: FdLike | AsyncInput | InputStream, timeout?: Seconds | null) => Suspension<boolean>

/**
 * Suspends until at least one descriptor is ready in the way its list asks, or until `timeout` seconds have passed. `yield`
 * evaluates to the complete lists, of the objects passed in, in their order; all three are empty on timeout.
 */
export type SelectCall = <Read extends FdLike | AsyncInput | InputStream, Write extends FdLike, Except extends FdLike>(
  read: Iterable<Read>,
  write: Iterable<Write>,
  except: Iterable<Except>,
  timeout?: Seconds | null,
) => Suspension<Selection<Read, Write, Except>>

/**
 * Announces a suspension that lasts until the function returned is called, or until `timeoutMs` MILLISECONDS have passed; then
 * yield `''`, which evaluates to `true` if it was resumed and to `false` if the time passed.
 */
export type SuspendCall = (timeoutMs?: number | null) => Resume

/**
 * Lets the application go on.
 *
 * @returns Whether it was suspended and will now go on. `false`: it has not yielded yet (it then will not be suspended at all),
 *   it was resumed before, its time has passed, or its client has gone.
 */
export type Resume = () => boolean

/** Where applications and the gateway write what is for the server's operator. */
export interface ErrorStream {
  write(text: string): void
  writelines(lines: Iterable<string>): void
  flush(): void
}

/** A file to be sent: a descriptor of a regular file, or an object with `read`. */
export type FileLike = number | { read(size: number): Chunk | null | undefined; close?(): unknown }

/** Sends a file in blocks of `blockSize` bytes, by default 64 KiB. */
export type FileWrapper = (file: FileLike, blockSize?: number) => Iterable<Chunk>

/** The request, and what the server can do: a plain object, made for this request, which is the application's to change. */
export interface Environ {
  REQUEST_METHOD: string
  /** The path the application is mounted at, percent-decoded; empty at the root. */
  SCRIPT_NAME: string
  /** The rest of the path, percent-decoded as UTF-8; what does not decode stays as it was sent. */
  PATH_INFO: string
  /** What follows the `?`, undecoded; empty if there is nothing. */
  QUERY_STRING: string
  /** Path and query as they were sent. */
  REQUEST_URI: string
  CONTENT_TYPE?: string
  CONTENT_LENGTH?: string
  SERVER_NAME: string
  SERVER_PORT: string
  /** `'HTTP/1.0'`, `'HTTP/1.1'` or `'HTTP/2.0'`. */
  SERVER_PROTOCOL: string
  REMOTE_ADDR: string
  REMOTE_PORT: string
  /** A header of the request; `X-Trace-Id` is `HTTP_X_TRACE_ID`. */
  [header: `HTTP_${string}`]: string | undefined

  'wsgi.version': readonly [1, 0]
  'wsgi.url_scheme': 'http' | 'https'
  /** The body. */
  'wsgi.input': InputStream
  /** The body ends by itself, whether or not there is a CONTENT_LENGTH. */
  'wsgi.input_terminated': true
  'wsgi.errors': ErrorStream
  'wsgi.multithread': false
  'wsgi.multiprocess': boolean
  'wsgi.run_once': false
  'wsgi.file_wrapper': FileWrapper

  'awsgi.version': readonly [1, 0]
  'awsgi.input': AsyncInput
  'awsgi.readable': WaitCall
  'awsgi.writable': WaitCall
  /** Whether the last suspension ended because its time had passed. */
  'awsgi.timeout': boolean

  'x-wsgiorg.async.input': AsyncInput
  'x-wsgiorg.async.readable': WaitCall
  'x-wsgiorg.async.writable': WaitCall
  /** Whether the last suspension ended because its time had passed. */
  'x-wsgiorg.async.timeout': boolean

  'x-wsgiorg.fdevent.readable': WaitCall
  'x-wsgiorg.fdevent.writable': WaitCall
  /** ALWAYS TRUTHY, like every object: ask for `.expired` (or `.length`, or `valueOf()`). Changed in place. */
  'x-wsgiorg.fdevent.timeout': Timeout

  'x-wsgiorg.suspend': SuspendCall
  /** Whether the last `suspend` ended because its time had passed. */
  'x-wsgiorg.suspend_status': boolean

  'fdevent.select': SelectCall
  'fdevent.request': IncomingMessage
  'fdevent.response': ServerResponse
  /** Aborted when the client has gone before its response was complete. */
  'fdevent.signal': AbortSignal

  /** Whatever middleware adds. */
  [key: string]: unknown
}

export interface GatewayOptions {
  /**
   * `'buffered'`, the default: the application starts when the whole body has arrived, so that `wsgi.input` never has to block.
   * `'streaming'`: it starts at once, and waits for its input.
   */
  input?: 'buffered' | 'streaming' | undefined
  /** Bodies longer than this many bytes are kept in a temporary file. Default 1 MiB; `Infinity`: never. */
  spoolAbove?: number | undefined
  /** Bodies longer than this many bytes are answered with 413. Default 100 MiB; `Infinity`: no limit. */
  maxBody?: number | undefined
  /** Where errors are written. Default `process.stderr`. */
  errors?: { write(text: string): unknown } | undefined
}
