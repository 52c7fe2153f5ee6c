/** A gateway of one test, and clients for it. */
import http, { type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { type Application, gateway, type GatewayOptions } from 'fdevent/wsgi'
import { expect, onTestFinished } from 'vitest'

export interface Served {
  port: number
  url: string
  server: http.Server
  /** What was written to wsgi.errors. */
  log: string[]
}

/** Listens for the length of the test. */
export async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    ;(server as Partial<http.Server>).closeAllConnections?.()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

export async function serve(application: Application, options: GatewayOptions = {}): Promise<Served> {
  const log: string[] = []
  const errors = { write: (text: string) => log.push(text) }
  const server = http.createServer(gateway(application, { errors, ...options }))
  const port = await listen(server)
  return { port, url: `http://127.0.0.1:${port}`, server, log }
}

export interface Answer {
  status: number
  reason: string
  headers: IncomingHttpHeaders
  rawHeaders: string[]
  body: string
  bytes: Buffer
  /** The connection ended before the response did. */
  cut: boolean
}

export interface Asking extends RequestOptions {
  body?: string | Uint8Array
}

/** One request on a connection of its own, unless an agent is given. */
export function ask(target: Served | number, path = '/', { body, ...options }: Asking = {}): Promise<Answer> {
  const port = typeof target === 'number' ? target : target.port
  return new Promise((resolve, reject) => {
    const req = http.request({ host: '127.0.0.1', port, path, agent: false, ...options }, (res) => {
      const pieces: Buffer[] = []
      const finish = (cut: boolean): void => {
        const bytes = Buffer.concat(pieces)
        const { statusCode: status = 0, statusMessage: reason = '', headers, rawHeaders } = res
        resolve({ status, reason, headers, rawHeaders, body: bytes.toString(), bytes, cut })
      }
      res.on('data', (piece: Buffer) => pieces.push(piece))
      res.on('end', () => finish(false))
      res.on('error', () => finish(true))
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** A connection that says what it is told to, byte for byte. */
export class Raw {
  received = ''
  closed = false
  readonly socket: net.Socket

  private constructor(socket: net.Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
    onTestFinished(() => void socket.destroy())
  }

  static async connect({ port }: { port: number }): Promise<Raw> {
    const socket = net.connect(port, '127.0.0.1')
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new Raw(socket)
  }

  send(text: string): void {
    this.socket.write(text, 'latin1')
  }

  async until(pattern: RegExp): Promise<void> {
    await expect.poll(() => this.received, { interval: 2, timeout: 10_000 }).toMatch(pattern)
  }

  async untilClosed(): Promise<string> {
    await expect.poll(() => this.closed, { interval: 2, timeout: 10_000 }).toBe(true)
    return this.received
  }

  destroy(): void {
    this.socket.destroy()
  }
}

export const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
