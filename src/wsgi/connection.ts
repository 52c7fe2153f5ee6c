/**
 * The connection below a response: whether the client is still there, and how it is ended.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'

function streamOf(res: ServerResponse): ServerHttp2Stream | undefined {
  return (res as unknown as Partial<Http2ServerResponse>).stream
}

export function isGone(req: IncomingMessage, res: ServerResponse): boolean {
  const stream = streamOf(res)
  return stream === undefined ? res.destroyed || req.socket.destroyed : stream.destroyed || stream.closed
}

/** Whether a 'drain' will come. */
export function needsDrain(res: ServerResponse): boolean {
  return (streamOf(res) ?? res).writableNeedDrain
}

// Of responses that wait for their turn on a connection, Node tells nobody that it was closed. One listener for all of them.
const waiting = new WeakMap<Socket, Set<() => void>>()

/** Has `act` called when the response's connection has closed, for whatever reason, also after its end. Perhaps twice. */
export function onClosed(req: IncomingMessage, res: ServerResponse, act: () => void): void {
  res.on('close', act)
  if (streamOf(res) !== undefined || res.socket !== null) return
  const { socket } = req
  const acts = waiting.get(socket) ?? new Set()
  if (!waiting.has(socket)) {
    waiting.set(socket, acts)
    socket.once('close', () => {
      waiting.delete(socket)
      for (const each of acts) each()
    })
  }
  acts.add(act)
  // From then on the response is told itself.
  res.once('socket', () => acts.delete(act))
}

function ignore(): void {}

/**
 * Ends a response so that the client cannot take it for complete, behind what was written before. `delimited`: its headers say
 * where it would end.
 */
export function abort(res: ServerResponse, delimited: boolean): void {
  const stream = streamOf(res)
  if (stream !== undefined) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    return
  }
  const { socket } = res
  if (socket === null) {
    // It waits for its turn: other responses on this connection come first.
    if (!res.destroyed && !res.writableEnded) res.once('socket', () => setImmediate(abort, res, delimited))
  } else if (delimited || res.chunkedEncoding) {
    // Node passes what was written on to the socket at the end of the turn.
    setImmediate(() => socket.destroySoon())
  } else {
    reset(socket)
  }
}

/**
 * Where only the end of the connection tells the end of the body, it must not look like one. At once, even if a last piece is lost:
 * some clients take data that arrives together with a reset for a regular end.
 */
function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    // Only TCP has resets.
    socket.destroy()
  }
}

/** How long, and how far, a client that sends too much is listened to, so that it gets to see why it is refused. */
const LINGER_MS = 2000
const LINGER_BYTES = 2 ** 26

const leaving = new WeakSet<Socket>()

/** Its connection is about to be closed, with an answer to an earlier request as the last: nobody would get the answer to this one. */
export function isUnheard(req: IncomingMessage): boolean {
  return leaving.has(req.socket)
}

/**
 * Answers without the request's body having been read. If the connection were closed at once, what the client is still sending
 * would reset it, and the answer would be lost: so the answer goes first, complete, and the rest is let go by for a while.
 */
export function answerAndLeave(req: IncomingMessage, res: ServerResponse, status: number, text: string): void {
  const stream = streamOf(res)
  if (stream !== undefined) {
    res.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length })
    res.end(text, () => stream.close(constants.NGHTTP2_NO_ERROR))
    return
  }
  leaving.add(req.socket)
  onClosed(req, res, ignore)
  res.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': text.length,
    Connection: 'close',
  })
  res.write(text)
  let seen = 0
  const leave = (): void => {
    clearTimeout(timer)
    req.off('data', count)
    if (!res.writableEnded) res.end()
  }
  const count = (data: Buffer): void => {
    seen += data.length
    if (seen > LINGER_BYTES) leave()
  }
  const timer = setTimeout(leave, LINGER_MS).unref()
  req.on('error', ignore).on('close', leave).on('end', leave).on('data', count)
  req.resume()
}
