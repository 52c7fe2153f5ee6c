/**
 * Thin calls that never change a descriptor's flags unless asked.
 *
 * `read` and `write` are read(2) and write(2): on a descriptor without O_NONBLOCK they block the thread when it is not
 * ready. `recv`, `send` and `accept`ed descriptors never block.
 *
 * All throw {@link FdError} with the system's code (`EBADF`, `ENOTSOCK`, `ECONNRESET`, `EPIPE`, `EMFILE`, ...), TypeError
 * `ERR_INVALID_ARG_TYPE` and RangeError `ERR_OUT_OF_RANGE` for arguments. Where the call would block they return
 * {@link WOULD_BLOCK} instead. Offsets and lengths are bytes, within the buffer.
 *
 * @module
 */
import { constants } from '../builtins.js'
import { binding } from '../binding.js'
import { FdError, invalidType, outOfRange } from '../errors.js'
import { type FdLike, fileno } from '../fileno.js'
import * as reactor from '../reactor.js'

/** In place of a count or a descriptor: not ready, wait and try again. */
export const WOULD_BLOCK = -1

/** For `recv` and `send`: out-of-band data (TCP's urgent byte). */
export const MSG_OOB = binding.MSG_OOB
/** For `recv`: look at the data and leave it there. */
export const MSG_PEEK = binding.MSG_PEEK

// By themselves, and the whole buffer without two numbers to convert: a call is compiled to go straight to the addon only if
// it always is the same function's, which an object of so many is not asked for.
const { read: readInto, write: writeFrom } = binding

const { EAGAIN, ENOTCONN, ENOTSOCK } = constants.errno

/**
 * read(2): up to `length` bytes into `buffer` from `offset` on. Returns how many, `0` at the end of the file, or
 * {@link WOULD_BLOCK}.
 */
export function read(fd: FdLike, buffer: Uint8Array, offset?: number, length?: number): number {
  const number = fileno(fd)
  if (offset === undefined && length === undefined) {
    checkBuffer(buffer)
    return done(readInto(number, buffer), 'read', number)
  }
  const from = offset === undefined ? 0 : offset
  const size = length === undefined ? defaultLength(buffer, from) : length
  checkSpan(buffer, from, size)
  return done(readInto(number, buffer, from, size), 'read', number)
}

/** write(2): up to `length` bytes of `buffer` from `offset` on. Returns how many went, or {@link WOULD_BLOCK}. */
export function write(fd: FdLike, buffer: Uint8Array, offset?: number, length?: number): number {
  const number = fileno(fd)
  if (offset === undefined && length === undefined) {
    checkBuffer(buffer)
    return done(writeFrom(number, buffer), 'write', number)
  }
  const from = offset === undefined ? 0 : offset
  const size = length === undefined ? defaultLength(buffer, from) : length
  checkSpan(buffer, from, size)
  return done(writeFrom(number, buffer, from, size), 'write', number)
}

/** recv(2) on a socket, with MSG_DONTWAIT: as {@link read}, and `flags` may be {@link MSG_OOB} or {@link MSG_PEEK}. */
export function recv(
  fd: FdLike,
  buffer: Uint8Array,
  offset = 0,
  length = defaultLength(buffer, offset),
  flags = 0,
): number {
  const number = fileno(fd)
  checkSpan(buffer, offset, length)
  checkFlags(flags)
  return done(binding.recv(number, buffer, offset, length, flags), 'recv', number)
}

/** send(2) on a socket, with MSG_DONTWAIT and without SIGPIPE: as {@link write}, and `flags` may be {@link MSG_OOB}. */
export function send(
  fd: FdLike,
  buffer: Uint8Array,
  offset = 0,
  length = defaultLength(buffer, offset),
  flags = 0,
): number {
  const number = fileno(fd)
  checkSpan(buffer, offset, length)
  checkFlags(flags)
  return done(binding.send(number, buffer, offset, length, flags), 'send', number)
}

/** accept(2): the next connection's descriptor, non-blocking and close-on-exec, or {@link WOULD_BLOCK}. */
export function accept(fd: FdLike): number {
  const number = fileno(fd)
  return done(binding.accept(number), 'accept', number)
}

/** Sets or clears O_NONBLOCK. It belongs to the open file, so every duplicate of the descriptor sees the change. */
export function setNonBlocking(fd: FdLike, on: boolean): void {
  const number = fileno(fd)
  if (typeof on !== 'boolean') throw invalidType('on', 'a boolean', on)
  done(binding.setNonBlocking(number, on), 'fcntl', number)
}

/** Whether O_NONBLOCK is set. */
export function isNonBlocking(fd: FdLike): boolean {
  const number = fileno(fd)
  return done(binding.isNonBlocking(number), 'fcntl', number) === 1
}

/** A new pipe, non-blocking and close-on-exec: `[read end, write end]`. */
export function pipe(): [number, number] {
  const fds = new Int32Array(2)
  done(binding.pipe(fds), 'pipe', -1)
  return [...fds] as [number, number]
}

/** Two connected UNIX stream sockets, non-blocking and close-on-exec. */
export function socketpair(): [number, number] {
  const fds = new Int32Array(2)
  done(binding.socketpair(fds), 'socketpair', -1)
  return [...fds] as [number, number]
}

/**
 * SO_ERROR: the errno pending on a socket, which reading it clears; 0 where there is none. After a non-blocking connect
 * became writable this is how the attempt ended. `os.constants.errno` has the names.
 */
export function socketError(fd: FdLike): number {
  const number = fileno(fd)
  return done(binding.socketError(number), 'getsockopt', number)
}

/** A second number, close-on-exec, for the same open file. */
export function dup(fd: FdLike): number {
  const number = fileno(fd)
  return done(binding.dup(number), 'dup', number)
}

/** close(2), after every wait on the descriptor was rejected as by `closing` of `fdevent`. Never returns WOULD_BLOCK. */
export function close(fd: FdLike): void {
  const number = fileno(fd)
  reactor.close(number)
  done(binding.closeFd(number), 'close', number)
}

/** Which directions a descriptor is open for. */
export function direction(fd: number): { reads: boolean; writes: boolean } {
  const mode = done(binding.accessMode(fd), 'fcntl', fd)
  return { reads: mode !== 1, writes: mode !== 0 }
}

/** Ends the sending half of a socket; what is no socket, or not connected any more, has none to end. */
export function endSending(fd: number): void {
  const result = binding.endSending(fd)
  if (result !== -ENOTSOCK && result !== -ENOTCONN) done(result, 'shutdown', fd)
}

function done(result: number, syscall: string, fd: number): number {
  if (result >= 0) return result
  if (result === -EAGAIN) return WOULD_BLOCK
  throw new FdError(result, syscall, fd)
}

/** The one rule for what is read into and written from. */
export function checkBuffer(buffer: Uint8Array): void {
  if (!(buffer instanceof Uint8Array)) throw invalidType('buffer', 'a Uint8Array', buffer)
}

// Before the check of its type: a default value must not throw an unnamed TypeError of its own.
function defaultLength(buffer: Uint8Array, offset: number): number {
  return buffer instanceof Uint8Array && typeof offset === 'number' ? buffer.length - offset : 0
}

function checkSpan(buffer: Uint8Array, offset: number, length: number): void {
  checkBuffer(buffer)
  if (typeof offset !== 'number') throw invalidType('offset', 'a number', offset)
  if (!Number.isInteger(offset) || offset < 0 || offset > buffer.length) {
    throw outOfRange('offset', `an integer from 0 to ${buffer.length}`, offset)
  }
  if (typeof length !== 'number') throw invalidType('length', 'a number', length)
  if (!Number.isInteger(length) || length < 0 || length > buffer.length - offset) {
    throw outOfRange('length', `an integer from 0 to ${buffer.length - offset}`, length)
  }
}

function checkFlags(flags: number): void {
  if (typeof flags !== 'number') throw invalidType('flags', 'a number', flags)
  if (!Number.isInteger(flags) || flags < 0 || flags > 0x7fffffff) throw outOfRange('flags', 'MSG_ constants', flags)
}
