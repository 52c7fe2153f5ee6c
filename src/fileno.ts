import type { Socket as UdpSocket } from 'node:dgram'
import type { ReadStream, WriteStream } from 'node:fs'
import type { Socket as NetSocket, Server } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { badDescriptor, invalidType, outOfRange } from './errors.js'

/**
 * Whatever names a descriptor:
 * - an integer from 0 to 2^31-1;
 * - an object with `fileno(): number`;
 * - an object with a numeric `fd`: `fs.FileHandle`, the streams of `node:fs`, tty streams;
 * - a child's `stdin`, `stdout` and `stderr`, a `net.Socket`, `net.Server`, `tls.TLSSocket`, tty or `dgram.Socket` whose handle has a descriptor.
 */
export type FdLike =
  | number
  | { fileno(): number }
  | { readonly fd: number | null }
  | NetSocket
  | Server
  | UdpSocket
  | ReadStream
  | WriteStream
  | Readable
  | Writable

const MAX_FD = 2 ** 31 - 1

/**
 * The number of a descriptor.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`: nothing in `target` names a descriptor.
 * @throws RangeError `ERR_OUT_OF_RANGE`: a number that is no integer from 0 to 2^31-1.
 * @throws FdError `EBADF`: the object names none at present, because it is closed or not yet open.
 */
export function fileno(target: FdLike): number {
  if (typeof target === 'number') return checked(target)
  if (typeof target === 'object' && target !== null) {
    const named = fromObject(target as ObjectWithFd)
    if (named !== undefined) return named
  }
  throw invalidType('fd', 'a descriptor: an integer, or an object with fileno(), fd or a socket handle', target)
}

interface ObjectWithFd {
  fileno?: unknown
  fd?: unknown
  _handle?: { fd?: unknown } | null
}

function fromObject(target: ObjectWithFd): number | undefined {
  if (hasFileno(target)) return open(target.fileno())
  // null: a stream of node:fs before it opened and after it closed.
  if (typeof target.fd === 'number' || target.fd === null) return open(target.fd)
  // Sockets of node:net keep their descriptor on the handle, and lose the handle when they close. Where the
  // handle has no descriptor (Windows, other runtimes), they are not descriptors at all.
  const handle = handleOf(target)
  if (handle === null) return open(-1)
  return handle === undefined ? undefined : typeof handle.fd === 'number' ? open(handle.fd) : undefined
}

function hasFileno(target: ObjectWithFd): target is { fileno(): unknown } {
  return typeof target.fileno === 'function'
}

function handleOf(target: ObjectWithFd): { fd?: unknown } | null | undefined {
  // dgram sockets keep the handle under a symbol; their `_handle` getter prints a deprecation warning.
  const state = Object.getOwnPropertySymbols(target).find((symbol) => symbol.description === 'state symbol')
  if (state !== undefined) return (target as Record<symbol, { handle?: { fd?: unknown } | null }>)[state]?.handle
  return target._handle
}

function open(fd: unknown): number {
  // Node's handles say -1, or libuv's negated EBADF before their first use.
  if (fd === null || (Number.isInteger(fd) && (fd as number) < 0))
    throw badDescriptor('fileno', -1, 'not open yet, or closed already')
  return checked(fd)
}

function checked(fd: unknown): number {
  if (typeof fd !== 'number') throw invalidType('fd', 'an integer', fd)
  if (!Number.isInteger(fd) || fd < 0 || fd > MAX_FD) throw outOfRange('fd', 'an integer from 0 to 2^31-1', fd)
  return fd
}
