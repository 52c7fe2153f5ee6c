import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Listener } from '../wsgi/gateway.js'
import { explainListening } from './failure.js'

/** A server that can be stopped without cutting off those it is serving. */
export class Service {
  readonly #server: http.Server
  /** The responses under way on each connection. */
  readonly #connections = new Map<Socket, Set<ServerResponse>>()
  #stopping = false

  constructor(listener: Listener) {
    const serve = (req: IncomingMessage, res: ServerResponse): void => {
      this.#follow(req.socket, res)
      listener(req, res)
    }
    this.#server = http.createServer(serve)
    // So that a body too long is refused before it is asked for.
    this.#server.on('checkContinue', serve)
    this.#server.on('connection', (socket: Socket) => {
      this.#connections.set(socket, new Set())
      socket.once('close', () => this.#connections.delete(socket))
    })
  }

  /** @throws Failure: the port is in use, for one. */
  async listen(host: string, port: number): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error): void => reject(explainListening(error, host, port))
      this.#server.once('error', failed)
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', failed)
        resolve()
      })
    })
    return this.#server.address() as AddressInfo
  }

  /** Accepts nothing more, and is fulfilled when every connection has closed, which is after `grace` seconds at the latest. */
  async stop(grace: number): Promise<void> {
    this.#stopping = true
    // close() would call it, and take a connection for idle whose response is complete but not yet sent.
    this.#server.closeIdleConnections = () => {}
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const responses of this.#connections.values()) endConnectionWith([...responses].at(-1))
    // What a client had already sent is a request, too.
    await turn()
    await turn()
    for (const [socket, responses] of this.#connections) if (responses.size === 0) socket.destroySoon()
    const late = setTimeout(() => this.#cut(), grace * 1000)
    await closed
    clearTimeout(late)
  }

  #follow(socket: Socket, res: ServerResponse): void {
    const responses = this.#connections.get(socket)
    if (responses === undefined) return
    responses.add(res)
    if (this.#stopping) endConnectionWith(res)
    res.once('close', () => {
      responses.delete(res)
      // Its headers may have gone before the end was decided on.
      if (this.#stopping && responses.size === 0) socket.destroySoon()
    })
  }

  #cut(): void {
    for (const socket of this.#connections.keys()) socket.destroy()
  }
}

/** Has the client told, by `Connection: close`, that this is the last one. */
function endConnectionWith(res: ServerResponse | undefined): void {
  if (res?.headersSent === false) res.shouldKeepAlive = false
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
