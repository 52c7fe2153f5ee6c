/**
 * Gets a request's body from Node: as a whole before the application starts, or as it comes.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { RequestBody } from './body.js'
import { BodyTooLarge, ClientGone, WsgiError } from './faults.js'
import type { Settings } from './settings.js'
import { Spool } from './spool.js'

/** How much is kept in memory while the application does not read. */
const AHEAD = 65_536

/** Whether the request says that it has a body. */
export function hasBody(req: IncomingMessage): boolean {
  const stream = (req as unknown as Partial<Http2ServerRequest>).stream
  if (stream !== undefined) return !stream.endAfterHeaders
  const { headers } = req
  return (
    headers['transfer-encoding'] !== undefined ||
    (headers['content-length'] !== undefined && Number(headers['content-length']) > 0)
  )
}

/** Whether the announced length is more than is accepted. */
export function announcesTooMuch(req: IncomingMessage, maxBody: number): boolean {
  return Number(req.headers['content-length'] ?? 0) > maxBody
}

/** What other middleware has left of a body it has read, or undefined if nobody has read it. @throws WsgiError: nothing. */
export function alreadyRead(req: IncomingMessage): Buffer | undefined {
  if (!req.readableDidRead && !req.readableEnded) return undefined
  const { body } = req as { body?: unknown }
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (typeof body === 'string') return Buffer.from(body)
  if (!req.readableDidRead) return Buffer.alloc(0)
  throw new WsgiError(
    "the request's body was read before the gateway got the request, by a body parser for one: put the gateway in front of " +
      "it, exempt the gateway's routes from it, or have it leave the bytes in req.body, as express.raw({ type: () => true }) does",
  )
}

/** The end of reading: called once. */
type Done = (error: Error | undefined) => void

/** Feeds a body from a request. */
export class Receiver {
  readonly body: RequestBody
  readonly #req: IncomingMessage
  readonly #settings: Settings
  #received = 0
  #done: Done | undefined

  constructor(req: IncomingMessage, settings: Settings, body: RequestBody) {
    this.#req = req
    this.#settings = settings
    this.body = body
  }

  get received(): number {
    return this.#received
  }

  /** Everything first. */
  collect(res: ServerResponse, done: Done): void {
    this.#done = done
    this.#begin(res, this.#collected, this.#end)
  }

  /** As it comes, as fast as it is taken. */
  stream(res: ServerResponse): void {
    this.body.taken = () => {
      if (this.body.queued < AHEAD && this.#req.isPaused()) this.#req.resume()
    }
    this.#begin(res, this.#streamed, this.#end)
  }

  /** Lets the rest of the body go by, so that the connection can serve another request. */
  stop(): void {
    const req = this.#req
    req.off('data', this.#collected).off('data', this.#streamed).off('end', this.#end).off('close', this.#gone)
    this.#done = undefined
    this.#spool?.close()
    this.body.discard()
    if (!req.destroyed && !req.readableEnded) req.resume()
  }

  #begin(res: ServerResponse, data: (piece: Buffer) => void, end: () => void): void {
    const req = this.#req
    sendContinue(req, res)
    // Without a listener an error would be the process's.
    req.on('error', ignore)
    req.on('close', this.#gone)
    req.on('end', end)
    req.on('data', data)
    if (req.destroyed) this.#gone()
  }

  readonly #collected = (piece: Buffer): void => {
    const { body } = this
    const { maxBody, spoolAbove } = this.#settings
    this.#received += piece.length
    if (this.#received > maxBody) return this.#finish(new BodyTooLarge(maxBody))
    body.push(piece)
    if (this.#received <= spoolAbove || this.#writing) return
    this.#spill()
  }

  #writing = false
  #ended = false
  /** Moves what is in memory to the file. What arrives meanwhile waits in memory, which is why the request is paused. */
  #spill(): void {
    const { body } = this
    try {
      this.#spool ??= new Spool()
    } catch (cause) {
      return this.#finish(new Error("no temporary file could be made for the request's body", { cause }))
    }
    this.#writing = true
    this.#req.pause()
    this.#spool.append(body.takeQueued(), (cause) => {
      this.#writing = false
      if (cause) return this.#finish(new Error("the request's body could not be written to a file", { cause }))
      if (this.#done === undefined) return
      if (body.queued > 0) return this.#spill()
      this.#req.resume()
      if (this.#ended) this.#end()
    })
  }
  #spool: Spool | undefined

  readonly #streamed = (piece: Buffer): void => {
    const { maxBody } = this.#settings
    this.#received += piece.length
    if (this.#received > maxBody) return this.#finish(new BodyTooLarge(maxBody))
    this.body.push(piece)
    if (this.body.queued >= AHEAD) this.#req.pause()
  }

  readonly #end = (): void => {
    this.#ended = true
    if (!this.#writing) this.#finish(undefined)
  }

  readonly #gone = (): void => {
    // Also after an end that the file is still to catch up with.
    if (!this.#ended) this.#finish(new ClientGone())
  }

  #finish(error: Error | undefined): void {
    const req = this.#req
    req.off('data', this.#collected).off('data', this.#streamed)
    if (error === undefined) this.body.spool = this.#spool
    else this.#spool?.close()
    this.body.end(error)
    const done = this.#done
    this.#done = undefined
    done?.(error)
  }
}

function ignore(): void {}

/** Asks for the body, if the client waits to be asked and nobody has done so. */
function sendContinue(req: IncomingMessage, res: ServerResponse): void {
  if (req.httpVersion === '1.0' || !/\b100-continue\b/i.test(req.headers.expect ?? '')) return
  // Node answers by itself, unless the gateway is the listener of 'checkContinue'.
  const { _sent100, stream } = res as { _sent100?: boolean; stream?: { sentInfoHeaders?: unknown[] } }
  const sent = stream === undefined ? _sent100 === true : (stream.sentInfoHeaders?.length ?? 0) > 0
  if (!sent && !res.headersSent) res.writeContinue()
}
