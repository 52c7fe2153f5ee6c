/** The system calls that Node lacks, for the situations. Failures throw. */
import koffi from 'koffi'

const libc = koffi.load(null)
const c = {
  pipe2: libc.func('int pipe2(_Out_ int *fds, int flags)'),
  socketpair: libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)'),
  dup: libc.func('int dup(int fd)'),
  dup2: libc.func('int dup2(int from, int to)'),
  close: libc.func('int close(int fd)'),
  read: libc.func('long read(int fd, _Out_ uint8_t *buffer, size_t length)'),
  write: libc.func('long write(int fd, const uint8_t *buffer, size_t length)'),
  send: libc.func('long send(int fd, const uint8_t *buffer, size_t length, int flags)'),
  fcntl: libc.func('int fcntl(int fd, int command, int value)'),
  setsockopt: libc.func('int setsockopt(int fd, int level, int name, const int *value, uint32_t length)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, const uint8_t *address, uint32_t length)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  accept: libc.func('int accept(int fd, void *address, void *length)'),
  connect: libc.func('int connect(int fd, const uint8_t *address, uint32_t length)'),
  getsockname: libc.func('int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)'),
}

const NONBLOCK = 0o4000
const CLOEXEC = 0o2000000
const AF_UNIX = 1
const AF_INET = 2
const STREAM = 1
const F_GETFL = 3
const F_SETFL = 4
const SOL_SOCKET = 1
const SO_LINGER = 13
const MSG_OOB = 1

function check(name, result) {
  if (result >= 0) return Number(result)
  throw new Error(`${name}: errno ${koffi.errno()}`)
}

const pair = (name, call) => {
  const fds = [-1, -1]
  check(name, call(fds))
  return fds
}

/** [read end, write end] */
export const pipe = ({ blocking = false } = {}) =>
  pair('pipe2', (fds) => c.pipe2(fds, CLOEXEC | (blocking ? 0 : NONBLOCK)))
export const socketpair = ({ blocking = false } = {}) =>
  pair('socketpair', (fds) => c.socketpair(AF_UNIX, STREAM | CLOEXEC | (blocking ? 0 : NONBLOCK), 0, fds))

/** [client, server side] on loopback */
export function tcpPair({ blocking = false } = {}) {
  const address = new Uint8Array(16)
  address.set([AF_INET, 0, 0, 0, 127, 0, 0, 1])
  const listener = check('socket', c.socket(AF_INET, STREAM | CLOEXEC, 0))
  check('bind', c.bind(listener, address, 16))
  check('listen', c.listen(listener, 1))
  check('getsockname', c.getsockname(listener, address, [16]))
  const client = check('socket', c.socket(AF_INET, STREAM | CLOEXEC, 0))
  check('connect', c.connect(client, address, 16))
  const server = check('accept', c.accept(listener, null, null))
  close(listener)
  if (!blocking) for (const fd of [client, server]) check('fcntl', c.fcntl(fd, F_SETFL, flags(fd) | NONBLOCK))
  return [client, server]
}

export const dup = (fd) => check('dup', c.dup(fd))
export const dup2 = (from, to) => check('dup2', c.dup2(from, to))
export const close = (fd) => check('close', c.close(fd))
export const flags = (fd) => check('fcntl', c.fcntl(fd, F_GETFL, 0))
export const isOpen = (fd) => c.fcntl(fd, F_GETFL, 0) !== -1
export const isNonBlocking = (fd) => (flags(fd) & NONBLOCK) !== 0
export const write = (fd) => check('write', c.write(fd, new Uint8Array([120]), 1))
export const read = (fd) => check('read', c.read(fd, new Uint8Array(1), 1))
export const sendOutOfBand = (fd) => check('send', c.send(fd, new Uint8Array([33]), 1, MSG_OOB))
/** The next close() of this TCP socket sends RST. */
export const resetOnClose = (fd) => check('setsockopt', c.setsockopt(fd, SOL_SOCKET, SO_LINGER, [1, 0], 8))
