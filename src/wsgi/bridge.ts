import { invalidType } from '../errors.js'
import type { FdLike } from '../fileno.js'
import { toSeconds } from '../seconds.js'
import type { Selection } from '../select.js'
import { selectBlocking, sleepBlocking } from './blocking.js'
import { WsgiError } from './faults.js'
import { isThenable } from './iteration.js'
import { isEmpty } from './suspension.js'
import { noteTimeout, Timeout } from './timeout.js'
import type { Application, Body, Chunk, Environ, Resume, Suspension } from './types.js'

/**
 * Lets an application that suspends itself run on a server without the extension: what it waits for is waited for by BLOCKING the
 * thread, and its empty strings stay here. On a server that has the extension, the application runs as it is.
 *
 * `suspend` needs a timeout there, since nothing can call `resume` while the thread is blocked.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`: `application` is no function.
 */
export function withFdevent(application: Application): Application {
  if (typeof application !== 'function') throw invalidType('application', 'a function', application)
  return (environ, startResponse) => {
    if (typeof environ['x-wsgiorg.fdevent.readable'] === 'function') return application(environ, startResponse)
    const calls = new Calls(environ)
    const body = application(environ, startResponse)
    return isThenable(body) ? body.then((resolved) => bridged(resolved, calls)) : bridged(body, calls)
  }
}

type Value = boolean | Selection<unknown>

/** The keys, over blocking. */
class Calls {
  /** What the next yield waits for. */
  #pending: (() => Value) | undefined
  #fault: WsgiError | undefined

  constructor(environ: Environ) {
    const note = (expired: boolean): void => noteTimeout(environ, { expired, wasSuspend: false })
    const input = new BlockingInput(environ)
    const one = (list: 'readable' | 'writable') => (target: unknown, timeout?: number | null) => {
      toSeconds(timeout)
      return this.#announce(() => {
        const fds = target === input || target === environ['wsgi.input'] ? undefined : [target as FdLike]
        const ready =
          fds === undefined ||
          (list === 'readable'
            ? !isEmpty(selectBlocking(fds, [], fds, timeout))
            : !isEmpty(selectBlocking([], fds, fds, timeout)))
        note(!ready)
        return ready
      }) as Suspension<boolean>
    }
    const readable = one('readable')
    const writable = one('writable')
    const select = (
      read: Iterable<FdLike>,
      write: Iterable<FdLike>,
      except: Iterable<FdLike>,
      timeout?: number | null,
    ) =>
      this.#announce(() => {
        const wanted: unknown[] = [...read]
        const isInput = (one: unknown): boolean => one === input || one === environ['wsgi.input']
        const hasInput = wanted.some(isInput)
        const descriptors = wanted.filter((one) => !isInput(one)) as FdLike[]
        const found = selectBlocking(descriptors, write, except, hasInput ? 0 : timeout)
        note(isEmpty(found) && !hasInput)
        return hasInput
          ? { ...found, readable: wanted.filter((one) => isInput(one) || found.readable.includes(one as FdLike)) }
          : found
      })
    const suspend = (timeoutMs?: number | null): Resume => {
      const seconds = toSeconds(typeof timeoutMs === 'number' ? timeoutMs / 1000 : timeoutMs)
      let resumed = false
      this.#announce(() => {
        if (!resumed && seconds === Number.POSITIVE_INFINITY) {
          throw new WsgiError('suspend needs a timeout here: nothing can call resume() while the thread is blocked')
        }
        if (!resumed) sleepBlocking(seconds)
        const status = !resumed
        resumed = true
        environ['x-wsgiorg.suspend_status'] = status
        return !status
      })
      return () => {
        resumed = true
        return false
      }
    }
    Object.assign(environ, {
      'awsgi.version': [1, 0],
      'awsgi.input': input,
      'awsgi.readable': readable,
      'awsgi.writable': writable,
      'awsgi.timeout': false,
      'x-wsgiorg.async.input': input,
      'x-wsgiorg.async.readable': readable,
      'x-wsgiorg.async.writable': writable,
      'x-wsgiorg.async.timeout': false,
      'x-wsgiorg.fdevent.readable': readable,
      'x-wsgiorg.fdevent.writable': writable,
      'x-wsgiorg.fdevent.timeout': new Timeout(),
      'x-wsgiorg.suspend': suspend,
      'x-wsgiorg.suspend_status': false,
      'fdevent.select': select,
    })
  }

  /** After a step. Whether the chunk was the empty string of a call. @throws WsgiError: a rule was broken. */
  announced(chunk: Chunk): boolean {
    if (this.#fault !== undefined) throw this.#fault
    if (this.#pending === undefined) return false
    if (chunk.length === 0) return true
    throw new WsgiError(
      'after a call of readable, writable, select or suspend something other than the empty string was yielded: yield what the ' +
        'call returned; middleware must pass empty strings on',
    )
  }

  /** Blocks. */
  wait(): Value {
    const pending = this.#pending as () => Value
    this.#pending = undefined
    return pending()
  }

  #announce(pending: () => Value): Suspension<Value> {
    if (this.#pending !== undefined) {
      this.#fault = new WsgiError('two calls of readable, writable, select or suspend without a yield between them')
      throw this.#fault
    }
    this.#pending = pending
    return '' as Suspension<Value>
  }
}

/** Over the server's own input, which blocks where it must, and so is always ready. */
class BlockingInput {
  readonly #environ: Environ

  constructor(environ: Environ) {
    this.#environ = environ
  }
  read(size?: number | null): Uint8Array {
    return this.#environ['wsgi.input'].read(size)
  }
  recv(size?: number | null): Uint8Array {
    return this.read(size)
  }
}

function bridged(body: Body, calls: Calls): Body {
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = body as Partial<
    Iterable<Chunk> & AsyncIterable<Chunk>
  >
  // What is no body the server will say itself.
  if (typeof sync === 'function') return new Bridged(body, sync.call(body), calls)
  return typeof async === 'function' ? new AsyncBridged(body, async.call(body), calls) : body
}

type Closable = { close?: () => unknown }

/** The application's iterator, without the suspensions. */
class Bridged implements Iterator<Chunk, unknown, unknown> {
  readonly #body: Closable
  readonly #iterator: Iterator<Chunk, unknown, unknown>
  readonly #calls: Calls

  constructor(body: object, iterator: Iterator<Chunk, unknown, unknown>, calls: Calls) {
    this.#body = body
    this.#iterator = iterator
    this.#calls = calls
  }
  [Symbol.iterator](): this {
    return this
  }
  next(value?: unknown): IteratorResult<Chunk, unknown> {
    let result = this.#iterator.next(value)
    while (result.done !== true && this.#calls.announced(result.value)) {
      let outcome: Value
      try {
        outcome = this.#calls.wait()
      } catch (error) {
        if (this.#iterator.throw === undefined) throw error
        result = this.#iterator.throw(error)
        continue
      }
      result = this.#iterator.next(outcome)
    }
    return result
  }
  return(value?: unknown): IteratorResult<Chunk, unknown> {
    return this.#iterator.return?.(value) ?? { done: true, value }
  }
  close(): void {
    this.#body.close?.()
  }
}

/** The same for an asynchronous one; it blocks as well. */
class AsyncBridged implements AsyncIterator<Chunk, unknown, unknown> {
  readonly #body: Closable
  readonly #iterator: AsyncIterator<Chunk, unknown, unknown>
  readonly #calls: Calls

  constructor(body: object, iterator: AsyncIterator<Chunk, unknown, unknown>, calls: Calls) {
    this.#body = body
    this.#iterator = iterator
    this.#calls = calls
  }
  [Symbol.asyncIterator](): this {
    return this
  }
  async next(value?: unknown): Promise<IteratorResult<Chunk, unknown>> {
    let result = await this.#iterator.next(value)
    while (result.done !== true && this.#calls.announced(result.value)) {
      let outcome: Value
      try {
        outcome = this.#calls.wait()
      } catch (error) {
        if (this.#iterator.throw === undefined) throw error
        result = await this.#iterator.throw(error)
        continue
      }
      result = await this.#iterator.next(outcome)
    }
    return result
  }
  async return(value?: unknown): Promise<IteratorResult<Chunk, unknown>> {
    return (await this.#iterator.return?.(value)) ?? { done: true, value }
  }
  close(): void {
    this.#body.close?.()
  }
}
