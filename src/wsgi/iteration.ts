/**
 * What an application returns: what it may be, how it is iterated, how it is closed.
 *
 * @module
 */
import { kindOf, WsgiError } from './faults.js'
import type { Chunk } from './types.js'

/** A synchronous or an asynchronous one. */
export type AnyIterator = Partial<Pick<Iterator<Chunk>, 'return' | 'throw'>> & {
  next(value?: unknown): IteratorResult<Chunk> | Promise<IteratorResult<Chunk>>
}

export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

/** @throws WsgiError: not what an application may return. */
export function checkBody(body: unknown): object {
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const what = typeof body === 'string' ? 'string' : 'buffer'
    throw new WsgiError(`the application returned a ${what}; put it in an array: [${what}]`)
  }
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = (body ?? {}) as Record<symbol, unknown>
  if (typeof body !== 'object' || body === null || (typeof sync !== 'function' && typeof async !== 'function')) {
    throw new WsgiError(
      `the application returned ${kindOf(body)} and must return an array, a generator or another iterable of chunks` +
        (typeof body === 'function' ? '; call it' : ''),
    )
  }
  return body
}

/** The error for a chunk in the place of a suspension. */
export function swallowed(): WsgiError {
  return new WsgiError(
    'after a call of readable, writable, select or suspend something other than the empty string was yielded. Either the ' +
      'application did not yield what the call returned, or middleware between it and the server joined or dropped the empty ' +
      'string: it must pass every empty string on, and the value of the yield back',
  )
}

type Body = Partial<Iterable<Chunk> & AsyncIterable<Chunk>>

/** Whether its steps come without promises. */
export function isSync(body: object): boolean {
  return typeof (body as Body)[Symbol.iterator] === 'function'
}

/** An array that is iterated as arrays are: no code of the application's runs between its chunks. */
export function isPlainArray(body: unknown): boolean {
  return Array.isArray(body) && body[Symbol.iterator] === Array.prototype[Symbol.iterator]
}

/** @throws WsgiError, and whatever the body throws. */
export function iteratorOf(body: object): AnyIterator {
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = body as Body
  const iterator = (sync ?? (async as () => unknown)).call(body as never) as AnyIterator | null | undefined
  if (typeof (iterator as Partial<AnyIterator> | null | undefined)?.next !== 'function') {
    throw new WsgiError("the iterator of the application's body has no method next()")
  }
  return iterator as AnyIterator
}

type Tell = (error: unknown, during: string) => void

/** Runs `return()` of the iterator and `close()` of the body. Whatever goes wrong there is only told. */
export function closeBody(body: object, iterator: AnyIterator | undefined, tell: Tell): void {
  quietly('closing the iterator', tell, () => {
    const open =
      iterator ?? (typeof (body as { next?: unknown }).next === 'function' ? (body as AnyIterator) : undefined)
    return typeof open?.return === 'function' ? open.return() : undefined
  })
  quietly('close()', tell, () => {
    const { close } = body as { close?: unknown }
    return typeof close === 'function' ? (close.call(body) as unknown) : undefined
  })
}

function quietly(during: string, tell: Tell, act: () => unknown): void {
  try {
    const result = act()
    if (isThenable(result)) {
      Promise.resolve(result)
        .then((settled) => checkClosed(settled, during, tell))
        .catch((error: unknown) => tell(error, during))
    } else {
      checkClosed(result, during, tell)
    }
  } catch (error) {
    tell(error, during)
  }
}

function checkClosed(result: unknown, during: string, tell: Tell): void {
  if ((result as { done?: unknown } | null | undefined)?.done !== false) return
  tell(new WsgiError('the application yielded while it was being closed, which nobody waits for'), during)
}
