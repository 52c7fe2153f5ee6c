import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { constants, createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net'
import { join } from 'node:path'
import { ReadStream as TtyReadStream } from 'node:tty'
import { fileno, readable, writable } from 'fdevent'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, fifo, openPath, own, pipe, socketpair, temporaryDirectory } from './helpers/owned.js'

async function listening(options: { pauseOnConnect?: boolean } = {}): Promise<Server> {
  const server = createServer(options)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return server
}

async function connected(server: Server): Promise<[client: Socket, accepted: Socket]> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], unknown]
  onTestFinished(() => {
    client.destroy()
    accepted.destroy()
  })
  return [client, accepted]
}

/** The bits of a wait's life that every form of naming a descriptor has to serve. */
async function expectReadableAfterWrite(target: Parameters<typeof readable>[0], write: () => void): Promise<void> {
  expect(await readable(target, 0)).toBe(false)
  expect(await readable(target, 0.01)).toBe(false)
  const wait = readable(target, 10)
  write()
  expect(await wait).toBe(true)
}

describe('what names a descriptor', () => {
  test('a number', async () => {
    const [r, w] = pipe()
    expect(fileno(r)).toBe(r)
    await expectReadableAfterWrite(r, () => c.write(w))
  })

  test('an object with fileno()', async () => {
    const [r, w] = pipe()
    const target = { fileno: () => r }
    expect(fileno(target)).toBe(r)
    await expectReadableAfterWrite(target, () => c.write(w))
  })

  test('an instance whose class has fileno(), called as its method', () => {
    class Wrapped {
      constructor(readonly inner: number) {}
      fileno(): number {
        return this.inner
      }
    }
    expect(fileno(new Wrapped(7))).toBe(7)
  })

  test('an object with a numeric fd', async () => {
    const [r, w] = pipe()
    expect(fileno({ fd: r })).toBe(r)
    await expectReadableAfterWrite({ fd: r }, () => c.write(w))
  })

  test('an object whose fd is a getter', () => {
    const target = Object.create({
      get fd() {
        return 9
      },
    })
    expect(fileno(target)).toBe(9)
  })

  test('fileno() comes before fd', () => {
    expect(fileno({ fileno: () => 5, fd: 6 })).toBe(5)
  })

  test('a FileHandle', async () => {
    const path = fifo()
    const handle = await open(path, constants.O_RDWR | constants.O_NONBLOCK)
    onTestFinished(() => handle.close())
    expect(fileno(handle)).toBe(handle.fd)
    await expectReadableAfterWrite(handle, () => c.write(handle.fd))
  })

  test('an fs.ReadStream', async () => {
    const path = join(temporaryDirectory(), 'file')
    const stream = createReadStream(path, { flags: 'a+' })
    onTestFinished(() => void stream.destroy())
    await once(stream, 'open')
    expect(fileno(stream)).toBe((stream as unknown as { fd: number }).fd)
    expect(await readable(stream, 1)).toBe(true)
  })

  test('an fs.WriteStream', async () => {
    const path = fifo()
    const r = openPath(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stream = createWriteStream(path)
    onTestFinished(() => void stream.destroy())
    await once(stream, 'open')
    expect(await writable(stream, 1)).toBe(true)
    c.fill(openPath(path, constants.O_WRONLY | constants.O_NONBLOCK))
    expect(await writable(stream, 0.01)).toBe(false)
    const wait = writable(stream, 10)
    c.drain(r)
    expect(await wait).toBe(true)
  })

  test('a net.Server', async () => {
    const server = await listening()
    const fd = fileno(server)
    expect(c.isOpen(fd)).toBe(true)
    expect(await readable(server, 0.01)).toBe(false)
  })

  test('a net.Socket that Node does not read from', async () => {
    const [client, accepted] = await connected(await listening({ pauseOnConnect: true }))
    expect(c.isOpen(fileno(accepted))).toBe(true)
    await expectReadableAfterWrite(accepted, () => client.write('x'))
  })

  test('a net.Socket that Node reads from, which keeps working', async () => {
    const [client, accepted] = await connected(await listening())
    const received: string[] = []
    accepted.setEncoding('utf8').on('data', (chunk: string) => received.push(chunk))
    const sleeper = readable(accepted, 0.2)
    for (let i = 0; i < 20; i += 1) {
      expect(await writable(client, 5)).toBe(true)
      expect(await writable(accepted, 5)).toBe(true)
      client.write('.')
    }
    await eventually(() => received.join('')).toBe('.'.repeat(20))
    await sleeper
    expect(accepted.destroyed).toBe(false)
  })

  test('a socket of a child process', async () => {
    const child = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill())
    expect(c.isOpen(fileno(child.stdin as Socket))).toBe(true)
    expect(await writable(child.stdin as Socket, 5)).toBe(true)
    expect(await readable(child.stdout as Socket, 0.01)).toBe(false)
    child.stdin.end('through the child')
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(child, 'close')
    expect(Buffer.concat(chunks).toString()).toBe('through the child')
  })

  test('a dgram socket', async () => {
    const socket = createSocket('udp4')
    onTestFinished(() => void socket.close())
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    expect(c.isOpen(fileno(socket))).toBe(true)
    expect(await writable(socket, 1)).toBe(true)
    expect(await readable(socket, 0.01)).toBe(false)
  })

  test('naming a dgram socket prints no deprecation warning', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    const socket = createSocket('udp4')
    onTestFinished(() => void socket.close())
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    fileno(socket)
    await new Promise(setImmediate)
    expect(warnings).toEqual([])
  })

  test('a tty stream', async () => {
    const { master, slavePath } = c.pty()
    own(master)
    const stream = new TtyReadStream(openPath(slavePath, constants.O_RDWR | constants.O_NOCTTY))
    onTestFinished(() => void stream.destroy())
    stream.pause()
    expect(c.isOpen(fileno(stream))).toBe(true)
    expect(await writable(stream, 1)).toBe(true)
    await expectReadableAfterWrite(stream, () => c.write(master, 'line\n'))
  })

  test("Node's own standard streams", () => {
    expect(fileno(process.stdout)).toBe(1)
    expect(fileno(process.stderr)).toBe(2)
  })
})

describe('objects that have no descriptor at present', () => {
  const bad = expect.objectContaining({ name: 'FdError', code: 'EBADF' })

  test('a closed FileHandle', async () => {
    const handle = await open('/dev/null')
    await handle.close()
    await expect(readable(handle)).rejects.toEqual(bad)
    await expect(writable(handle)).rejects.toEqual(bad)
    expect(() => fileno(handle)).toThrow(bad)
  })

  test('a destroyed net.Socket', async () => {
    const [client] = await connected(await listening())
    client.destroy()
    await expect(readable(client)).rejects.toEqual(bad)
  })

  test('a net.Socket that never connected', async () => {
    await expect(writable(new Socket())).rejects.toEqual(bad)
  })

  test('a closed net.Server', async () => {
    const server = await listening()
    server.close()
    await expect(readable(server)).rejects.toEqual(bad)
  })

  test('a net.Server that never listened', async () => {
    await expect(readable(createServer())).rejects.toEqual(bad)
  })

  test('an fs stream that is not open yet', async () => {
    const stream = createReadStream('/dev/null')
    const wait = readable(stream)
    stream.destroy()
    await expect(wait).rejects.toEqual(bad)
  })

  test('an fs stream that is closed', async () => {
    const stream = createReadStream('/dev/null')
    stream.destroy()
    await once(stream, 'close')
    await expect(readable(stream)).rejects.toEqual(bad)
  })

  test('a dgram socket that is not bound yet', async () => {
    const socket = createSocket('udp4')
    onTestFinished(() => void socket.close())
    await expect(readable(socket)).rejects.toEqual(bad)
  })

  test('a closed dgram socket', async () => {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    socket.close()
    await expect(readable(socket)).rejects.toEqual(bad)
  })

  test('an object whose fileno() answers -1', async () => {
    await expect(readable({ fileno: () => -1 })).rejects.toEqual(bad)
  })

  test('an object whose fd is -1', async () => {
    await expect(readable({ fd: -1 })).rejects.toEqual(bad)
  })
})

test('the object is asked anew for every wait', async () => {
  const [a, b] = socketpair()
  c.write(a)
  const moving = { fd: a }
  expect(await readable(moving, 0)).toBe(false)
  moving.fd = b
  expect(await readable(moving, 0)).toBe(true)
})
