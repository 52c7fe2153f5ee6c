/** AsyncFds that are closed at the end of their test, and what tests of them share. */
import { randomBytes } from 'node:crypto'
import { constants, readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { AsyncFd, type AsyncFdOptions } from 'fdevent/io'
import { afterEach } from 'vitest'
import * as c from './libc.js'
import { openPath, own, pipe, socketpair } from './owned.js'

const open = new Set<AsyncFd>()

// Before the check that nothing is left over: hooks after a test run in the reverse order of their registration.
afterEach(async () => {
  for (const file of open) await file.close()
  open.clear()
})

export function asyncFd(fd: number, options?: AsyncFdOptions): AsyncFd {
  const file = new AsyncFd(fd, options)
  open.add(file)
  return file
}

/** An AsyncFd on one end of a pipe or a socket pair, and the descriptor at the other. */
export function reading(): { file: AsyncFd; fd: number; peer: number } {
  const [r, w] = pipe()
  return { file: asyncFd(r), fd: r, peer: w }
}
export function connected(options?: AsyncFdOptions): { file: AsyncFd; fd: number; peer: number } {
  const [a, b] = socketpair()
  return { file: asyncFd(a, options), fd: a, peer: b }
}
/** A socket pair whose buffers hold a few thousand bytes. */
export function narrow(): c.Pair {
  const fds = socketpair()
  for (const fd of fds) c.setBuffers(fd, 1)
  return fds
}

export const MIB = 1 << 20
export const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length))
export const text = (bytes: Uint8Array, count = bytes.length): string =>
  Buffer.from(bytes.subarray(0, count)).toString()
export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value)
/** What a promise rejects with; it must. */
export const failure = async (promise: Promise<unknown>): Promise<any> =>
  promise.then(
    (value) => Promise.reject(new Error(`resolved with ${String(value)}`)),
    (error: unknown) => error,
  )

/** Reads until the end or until `length` bytes have come. */
export async function collect(file: AsyncFd, length = Infinity, chunk = 65_536): Promise<Buffer> {
  const parts: Uint8Array[] = []
  const buffer = new Uint8Array(chunk)
  for (let total = 0; total < length;) {
    const count = await file.read(buffer)
    if (count === 0) break
    parts.push(buffer.slice(0, count))
    total += count
  }
  return Buffer.concat(parts)
}

export const duplexOf = (fd: number): Duplex => asyncFd(fd).duplex()

/** What a stream has to give up to its end. */
export async function everythingOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of stream) parts.push(chunk)
  return Buffer.concat(parts)
}

/** A pty, closed at the end of the test; its slave is open. */
export function terminal(): { master: number; slave: number; slavePath: string } {
  const { master, slavePath } = c.pty()
  own(master)
  const slave = openPath(slavePath, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
  return { master, slave, slavePath }
}

/** The status flags and O_CLOEXEC, as the kernel lists them. */
export const flagsOf = (fd: number): number =>
  parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] as string, 8)
/** What a call throws; it must. */
export const thrown = (call: () => unknown): any => {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
