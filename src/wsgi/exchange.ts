/**
 * One request, from its arrival to the end of its response: runs the application step by step.
 *
 * @module
 */
import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { NO_BODY, RequestBody } from './body.js'
import { answerAndLeave, isGone, isUnheard, onClosed } from './connection.js'
import { createEnviron } from './environ.js'
import { BodyTooLarge, kindOf, report, WsgiError } from './faults.js'
import { AsyncInput, InputStream } from './input.js'
import {
  type AnyIterator,
  checkBody,
  closeBody,
  isPlainArray,
  isSync,
  isThenable,
  iteratorOf,
  swallowed,
} from './iteration.js'
import { alreadyRead, announcesTooMuch, hasBody, Receiver } from './receive.js'
import { checkChunk, type Overseer, Responder } from './responder.js'
import type { Settings } from './settings.js'
import { type Outcome, type Owner, Waiter } from './suspension.js'
import { noteTimeout, Timeout } from './timeout.js'
import type { Application, Chunk, Environ } from './types.js'

/** How many steps an application makes before others get a turn. */
const LONG_RUN = 64

/** What happens next, or whom the request waits for. */
const RECEIVING = 0
const STEPPING = 1
const PROMISED = 2
const SUSPENDED = 3
const DRAINING = 4
const PAUSING = 5
const OVER = 6

export class Exchange implements Overseer, Owner {
  readonly #application: Application
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #settings: Settings
  readonly #responder: Responder
  // Made when the application first waits.
  #waiter: Waiter | undefined
  #state = RECEIVING
  #gone = false
  #listening = false
  #environ: Environ | undefined
  #receiver: Receiver | undefined
  #body: object | undefined
  #iterator: AnyIterator | undefined
  #asynchronous = false
  #steps = 0
  #abort: AbortController | undefined
  // Made when the application is left for the first time.
  #scope: AsyncResource | undefined
  // What the next step is given, while the connection drains.
  #value: unknown
  #thrown = false

  constructor(application: Application, req: IncomingMessage, res: ServerResponse, settings: Settings) {
    this.#application = application
    this.#req = req
    this.#res = res
    this.#settings = settings
    this.#responder = new Responder(res, req.method, this)
  }

  begin(): void {
    const req = this.#req
    if (isUnheard(req)) return
    try {
      if (!hasBody(req)) return this.#start(NO_BODY, -1)
      const given = alreadyRead(req)
      const { maxBody, streaming } = this.#settings
      if (given !== undefined) {
        if (given.length > maxBody) throw new BodyTooLarge(maxBody)
        const body = new RequestBody()
        body.push(given)
        body.end()
        return this.#start(body, given.length)
      }
      if (announcesTooMuch(req, maxBody)) return this.#tooLarge()
      const receiver = (this.#receiver = new Receiver(req, this.#settings, new RequestBody()))
      if (streaming) {
        receiver.stream(this.#res)
        return this.#start(receiver.body, -1)
      }
      this.#leave()
      receiver.collect(this.#res, (error) => this.#collected(error))
    } catch (error) {
      this.#fail(error, 'reading the request')
    }
  }

  #collected(error: Error | undefined): void {
    if (this.#state === OVER) return
    const receiver = this.#receiver as Receiver
    if (this.#gone || isGone(this.#req, this.#res)) return this.#finish()
    if (error instanceof BodyTooLarge) return this.#tooLarge()
    if (error !== undefined) return this.#fail(error, 'reading the request')
    this.#enter(() => this.#start(receiver.body, receiver.received))
  }

  #tooLarge(): void {
    this.#receiver?.stop()
    this.#receiver = undefined
    const { committed } = this.#responder
    if (committed) this.#responder.abort()
    else answerAndLeave(this.#req, this.#res, 413, '413 Content Too Large\n')
    this.#finish()
  }

  #start(body: RequestBody, length: number): void {
    const input = new InputStream(body)
    const timeout = new Timeout()
    const environ = (this.#environ = createEnviron(this.#req, this.#res, this.#settings, {
      input,
      readable: (fd, seconds) => this.#calls.readable(fd, seconds),
      writable: (fd, seconds) => this.#calls.writable(fd, seconds),
      select: ((read, write, except, seconds) =>
        this.#calls.select(read as never, write, except, seconds)) as Environ['fdevent.select'],
      suspend: (timeoutMs) => this.#calls.suspend(timeoutMs),
      timeout,
      length,
      lazy: this,
    }))
    const asyncInput = new AsyncInput(body, environ)
    environ['awsgi.input'] = asyncInput
    environ['x-wsgiorg.async.input'] = asyncInput
    this.#state = STEPPING
    try {
      const result: unknown = this.#application(environ, (status, headers, excInfo) =>
        this.#responder.start(status, headers, excInfo),
      )
      if (!isThenable(result)) {
        this.#iterate(result)
        return
      }
      this.#leave()
      this.#state = PROMISED
      // Not every thenable calls back once.
      Promise.resolve(result).then(
        (resolved) => this.#iterate(resolved),
        (error: unknown) => this.#fail(error, 'the application'),
      )
    } catch (error) {
      this.#fail(error, 'the application')
    }
  }

  get #calls(): Waiter {
    if (this.#waiter === undefined) {
      this.#waiter = new Waiter(this)
      if (this.#state === OVER) this.#waiter.finish()
    }
    return this.#waiter
  }

  /** The application has returned its body. */
  #iterate(body: unknown): void {
    try {
      this.#body = checkBody(body)
      if (this.#state === OVER || this.#gone) return this.#finish()
      this.#asynchronous = !isSync(this.#body)
      this.#iterator = iteratorOf(this.#body)
    } catch (error) {
      return this.#fail(error, 'the application')
    }
    this.#continue(undefined, false)
  }

  /** Runs the application until it ends or has to wait. */
  #continue(value: unknown, thrown: boolean): void {
    try {
      while (this.#ready(value, thrown)) {
        this.#state = STEPPING
        const iterator = this.#iterator as AnyIterator
        if (thrown && typeof iterator.throw !== 'function') throw value
        const result = thrown ? iterator.throw?.(value) : iterator.next(value)
        value = undefined
        thrown = false
        if (this.#asynchronous) return this.#promised(result as Promise<IteratorResult<Chunk>>)
        if (!this.#accept(result as IteratorResult<Chunk>)) return
      }
    } catch (error) {
      this.#fail(error, 'the application')
    }
  }

  /** Whether the application may be asked for more now. */
  #ready(value: unknown, thrown: boolean): boolean {
    if (this.#gone) {
      this.#finish()
      return false
    }
    this.#steps += 1
    if (!this.#responder.full && this.#steps < LONG_RUN) return true
    this.#value = value
    this.#thrown = thrown
    this.#leave()
    if (this.#responder.full) {
      this.#state = DRAINING
      this.#res.once('drain', () => this.#drained())
    } else {
      this.#pause()
    }
    return false
  }

  /** Gives others a turn. */
  #pause(): void {
    this.#steps = 0
    this.#state = PAUSING
    setImmediate(goOn, this)
  }

  #drained(): void {
    if (this.#state !== DRAINING) return
    this.#steps = 0
    this.goOn()
  }

  /** @internal */
  goOn(): void {
    if (this.#state === OVER) return
    const value = this.#value
    const thrown = this.#thrown
    this.#value = undefined
    this.#thrown = false
    this.#enter(() => this.#continue(value, thrown))
  }

  #promised(result: Promise<IteratorResult<Chunk>>): void {
    this.#detach()
    // What promises alone stand in the way of comes within this turn: it may be the end, and the chunk that is held the only one.
    if (this.#responder.holding) setImmediate(flush, this)
    this.#state = PROMISED
    // Not every hand-made iterator keeps its promise to return one.
    Promise.resolve(result).then(
      (settled) => {
        try {
          if (this.#accept(settled)) this.#continue(undefined, false)
        } catch (error) {
          this.#fail(error, 'the application')
        }
      },
      (error: unknown) => this.#fail(error, 'the application'),
    )
  }

  /** Takes what a step has brought. Whether the next one may be made at once. */
  #accept(result: IteratorResult<Chunk>): boolean {
    if (this.#state === OVER) return false
    if (this.#gone) {
      this.#finish()
      return false
    }
    const waiter = this.#waiter
    if (waiter?.fault !== undefined) throw waiter.fault
    if (typeof result !== 'object' || result === null) {
      throw new WsgiError(`the body's iterator returned ${kindOf(result)} instead of { done, value }`)
    }
    if (result.done === true) {
      this.#complete()
      return false
    }
    const chunk: unknown = result.value
    checkChunk(chunk)
    if (chunk.length > 0) {
      if (waiter?.announced) throw swallowed()
      // No code of the application's runs between two chunks of an array.
      this.#responder.take(chunk, !isPlainArray(this.#body))
      return true
    }
    this.#leave()
    if (waiter?.announced) this.#suspend(waiter)
    else this.#pause()
    return false
  }

  #suspend(waiter: Waiter): void {
    this.#state = SUSPENDED
    try {
      waiter.begin()
    } catch (error) {
      // The application learns it where it waits.
      this.#value = error
      this.#thrown = true
      this.#pause()
    }
  }

  /** @internal */
  resumed(outcome: Outcome): void {
    if (this.#state !== SUSPENDED) return
    const failed = outcome instanceof Error
    if (!failed) noteTimeout(this.#environ as Environ, this.#calls)
    this.#steps = 0
    this.#enter(() => this.#continue(outcome, failed))
  }

  /** @internal */
  flush(): void {
    if (this.#state === OVER) return
    try {
      this.#responder.flush()
    } catch (error) {
      this.#fail(error, 'answering')
    }
  }

  /** Called whenever the present turn is going to end with the application unfinished. */
  #leave(): void {
    if (this.#environ !== undefined) this.#responder.flush()
    this.#detach()
  }

  #detach(): void {
    this.#scope ??= new AsyncResource('fdevent.wsgi')
    this.#listen()
  }

  #listen(): void {
    if (this.#listening) return
    this.#listening = true
    onClosed(this.#req, this.#res, () => this.#closed())
    if (isGone(this.#req, this.#res)) this.#gone = true
  }

  /** Runs it in the context that the request came in. */
  #enter(step: () => void): void {
    if (this.#scope === undefined) step()
    else this.#scope.runInAsyncScope(step)
  }

  #closed(): void {
    if (this.#state === OVER) return
    this.#gone = true
    this.#abort?.abort()
    // While a step is under way its iterator cannot be closed, and a body that is promised not yet; what comes of it is looked at
    // then. A promised step may never come: return() waits behind it, if it is a generator's.
    if (this.#state === STEPPING || (this.#state === PROMISED && this.#iterator === undefined)) return
    this.#enter(() => this.#finish())
  }

  /** @internal */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      // Not the scope: the application may ask from within a context of its own.
      if (this.#state !== OVER) this.#listen()
      if (this.#gone) this.#abort.abort()
    }
    return this.#abort.signal
  }

  #complete(): void {
    this.#responder.end()
    this.#finish()
  }

  #fail(error: unknown, during: string): void {
    if (this.#state === OVER) {
      if (!this.#gone) this.#report(error, during)
      return
    }
    if (this.#gone) return this.#finish()
    if (error instanceof BodyTooLarge && !this.#responder.committed) return this.#tooLarge()
    this.#report(error, during)
    try {
      if (this.#responder.committed) this.#responder.abort()
      else this.#responder.refuse(500, 'Internal Server Error')
    } catch (failure) {
      this.#report(failure, 'answering')
      this.#res.destroy()
    }
    this.#finish()
  }

  /** @internal */
  wroteLate(): void {
    if (!this.#gone) this.#report(new WsgiError('write() was called after the request was over'), 'the application')
  }

  #report(error: unknown, during: string): void {
    const { method = '', url = '', originalUrl = url } = this.#req as IncomingMessage & { originalUrl?: string }
    report(this.#settings.errors, method, originalUrl, during, error)
  }

  /** Gives everything back, once. */
  #finish(): void {
    if (this.#state === OVER) return
    this.#state = OVER
    this.#waiter?.finish()
    this.#responder.over = true
    this.#receiver?.stop()
    if (this.#body === undefined) return
    closeBody(this.#body, this.#iterator, (error, during) => this.#report(error, during))
  }
}

function goOn(exchange: Exchange): void {
  exchange.goOn()
}

function flush(exchange: Exchange): void {
  exchange.flush()
}
