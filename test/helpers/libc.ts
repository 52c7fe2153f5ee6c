/** The system calls that Node lacks, on raw descriptors, through koffi. Failures throw with the errno's name. */
import { constants } from 'node:os'
import koffi from 'koffi'

const libc = koffi.load(null)
koffi.struct('pollfd', { fd: 'int', events: 'short', revents: 'short' })

const c = {
  pipe2: libc.func('int pipe2(_Out_ int *fds, int flags)'),
  socketpair: libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)'),
  dup: libc.func('int dup(int fd)'),
  dup2: libc.func('int dup2(int from, int to)'),
  close: libc.func('int close(int fd)'),
  read: libc.func('long read(int fd, _Out_ uint8_t *buffer, size_t length)'),
  write: libc.func('long write(int fd, const uint8_t *buffer, size_t length)'),
  send: libc.func('long send(int fd, const uint8_t *buffer, size_t length, int flags)'),
  recv: libc.func('long recv(int fd, _Out_ uint8_t *buffer, size_t length, int flags)'),
  shutdown: libc.func('int shutdown(int fd, int how)'),
  fcntl: libc.func('int fcntl(int fd, int command, int value)'),
  setsockopt: libc.func('int setsockopt(int fd, int level, int name, const int *value, uint32_t length)'),
  getsockopt: libc.func('int getsockopt(int fd, int level, int name, _Out_ int *value, _Inout_ uint32_t *length)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  bind: libc.func('int bind(int fd, const uint8_t *address, uint32_t length)'),
  listen: libc.func('int listen(int fd, int backlog)'),
  accept: libc.func('int accept(int fd, void *address, void *length)'),
  connect: libc.func('int connect(int fd, const uint8_t *address, uint32_t length)'),
  getsockname: libc.func('int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)'),
  mkfifo: libc.func('int mkfifo(const char *path, uint32_t mode)'),
  posix_openpt: libc.func('int posix_openpt(int flags)'),
  grantpt: libc.func('int grantpt(int fd)'),
  unlockpt: libc.func('int unlockpt(int fd)'),
  ptsname_r: libc.func('int ptsname_r(int fd, _Out_ uint8_t *name, size_t length)'),
  eventfd: libc.func('int eventfd(uint32_t value, int flags)'),
  timerfd_create: libc.func('int timerfd_create(int clock, int flags)'),
  timerfd_settime: libc.func('int timerfd_settime(int fd, int flags, const int64_t *setting, void *old)'),
  inotify_init1: libc.func('int inotify_init1(int flags)'),
  inotify_add_watch: libc.func('int inotify_add_watch(int fd, const char *path, uint32_t mask)'),
  epoll_create1: libc.func('int epoll_create1(int flags)'),
  epoll_ctl: libc.func('int epoll_ctl(int epoll, int operation, int fd, const uint8_t *event)'),
  poll: libc.func('int poll(_Inout_ pollfd *fds, uint64_t count, int timeout)'),
  select: libc.func(
    'int select(int count, _Inout_ uint8_t *read, _Inout_ uint8_t *write, _Inout_ uint8_t *except, const int64_t *timeout)',
  ),
}

export const O = { RDONLY: 0, WRONLY: 1, RDWR: 2, NONBLOCK: 0o4000, CLOEXEC: 0o2000000, NOCTTY: 0o400 } as const
export const POLL = { IN: 1, PRI: 2, OUT: 4, ERR: 8, HUP: 16, NVAL: 32 } as const
const AF_UNIX = 1
const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOL_SOCKET = 1
const SO_ERROR = 4
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_LINGER = 13
const MSG_OOB = 1
const F_GETFD = 1
const F_GETFL = 3
const F_SETFL = 4
const F_DUPFD = 0

function errnoName(errno: number): string {
  return Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`
}

function check(name: string, result: number | bigint): number {
  const value = Number(result)
  if (value >= 0) return value
  const code = errnoName(koffi.errno())
  throw Object.assign(new Error(`${name}: ${code}`), { code })
}

export type Pair = [number, number]

/** [read end, write end], both non-blocking. */
export function pipe(): Pair {
  const fds: Pair = [-1, -1]
  check('pipe2', c.pipe2(fds, O.NONBLOCK | O.CLOEXEC))
  return fds
}

/** Two connected UNIX stream sockets, non-blocking. */
export function socketpair(type: 'stream' | 'dgram' = 'stream'): Pair {
  const fds: Pair = [-1, -1]
  const kind = (type === 'stream' ? SOCK_STREAM : SOCK_DGRAM) | O.NONBLOCK | O.CLOEXEC
  check('socketpair', c.socketpair(AF_UNIX, kind, 0, fds))
  return fds
}

function inet(port: number): Uint8Array {
  // sockaddr_in: family (host order), port (network order), address 127.0.0.1
  const address = new Uint8Array(16)
  address.set([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1])
  return address
}

function portOf(fd: number): number {
  const address = new Uint8Array(16)
  check('getsockname', c.getsockname(fd, address, [16]))
  return ((address[2] as number) << 8) | (address[3] as number)
}

/** An unconnected, non-blocking TCP socket. */
export const tcpSocket = (): number => check('socket', c.socket(AF_INET, SOCK_STREAM | O.NONBLOCK | O.CLOEXEC, 0))

/** A non-blocking UDP socket bound to loopback, and its port. */
export function udpSocket(): { fd: number; port: number } {
  const fd = check('socket', c.socket(AF_INET, SOCK_DGRAM | O.NONBLOCK | O.CLOEXEC, 0))
  check('bind', c.bind(fd, inet(0), 16))
  return { fd, port: portOf(fd) }
}

/** A listening, non-blocking TCP socket on loopback, and its port. */
export function tcpListener(backlog = 128): { fd: number; port: number } {
  const fd = tcpSocket()
  check('bind', c.bind(fd, inet(0), 16))
  check('listen', c.listen(fd, backlog))
  return { fd, port: portOf(fd) }
}

/** Starts a connection to loopback: 0, or the errno's name (`EINPROGRESS`, `ECONNREFUSED`). */
export function connect(fd: number, port: number): 0 | string {
  return c.connect(fd, inet(port), 16) === 0 ? 0 : errnoName(koffi.errno())
}

export const accept = (fd: number): number => check('accept', c.accept(fd, null, null))

/** A connected pair of TCP sockets, non-blocking: [client, server side]. */
export function tcpPair(): Pair {
  const listener = tcpListener()
  const client = tcpSocket()
  connect(client, listener.port)
  const server = accept(listener.fd)
  setNonBlocking(server)
  close(listener.fd)
  return [client, server]
}

export const dup = (fd: number): number => check('dup', c.dup(fd))
export const dup2 = (from: number, to: number): number => check('dup2', c.dup2(from, to))
/** A duplicate whose number is at least `least`. */
export const dupAbove = (fd: number, least: number): number => check('fcntl', c.fcntl(fd, F_DUPFD, least))
/** close(2) without a word to anybody. */
export const close = (fd: number): void => void check('close', c.close(fd))
export const shutdown = (fd: number, how: 'read' | 'write' | 'both'): void =>
  void check('shutdown', c.shutdown(fd, how === 'read' ? 0 : how === 'write' ? 1 : 2))
export const flags = (fd: number): number => check('fcntl', c.fcntl(fd, F_GETFL, 0))
export const setFlags = (fd: number, value: number): void => void check('fcntl', c.fcntl(fd, F_SETFL, value))
export const setNonBlocking = (fd: number): void => setFlags(fd, flags(fd) | O.NONBLOCK)
export const closesOnExec = (fd: number): boolean => (check('fcntl', c.fcntl(fd, F_GETFD, 0)) & 1) !== 0
export const isOpen = (fd: number): boolean => c.fcntl(fd, F_GETFL, 0) !== -1

/** Up to `length` bytes; null where the read would block. */
export function read(fd: number, length = 65_536): Uint8Array | null {
  const buffer = new Uint8Array(length)
  return received('read', c.read(fd, buffer, length), buffer)
}
export function recvOutOfBand(fd: number): Uint8Array | null {
  const buffer = new Uint8Array(1)
  return received('recv', c.recv(fd, buffer, 1, MSG_OOB), buffer)
}
function received(name: string, result: number, buffer: Uint8Array): Uint8Array | null {
  if (result < 0 && koffi.errno() === constants.errno.EAGAIN) return null
  return buffer.subarray(0, check(name, result))
}
/** Bytes written; null where the write would block. */
export function write(fd: number, data: string | Uint8Array = 'x'): number | null {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  const result = c.write(fd, bytes, bytes.length)
  if (result < 0 && koffi.errno() === constants.errno.EAGAIN) return null
  return check('write', result)
}
/** Writes until the descriptor is full; the number of bytes. */
export function fill(fd: number): number {
  const block = new Uint8Array(65_536)
  let total = 0
  for (const size of [65_536, 4096, 1]) {
    for (let wrote = write(fd, block.subarray(0, size)); wrote !== null; wrote = write(fd, block.subarray(0, size))) {
      total += wrote
    }
  }
  return total
}
/** Reads until nothing is left; the number of bytes. */
export function drain(fd: number): number {
  let total = 0
  for (let data = read(fd); data !== null && data.length > 0; data = read(fd)) total += data.length
  return total
}
export const sendOutOfBand = (fd: number, byte = '!'): void =>
  void check('send', c.send(fd, new TextEncoder().encode(byte), 1, MSG_OOB))

/** SO_ERROR by name, or 0. */
export function socketError(fd: number): 0 | string {
  const value = [0]
  check('getsockopt', c.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, [4]))
  return value[0] === 0 ? 0 : errnoName(value[0] as number)
}
export function setBuffers(fd: number, bytes: number): void {
  for (const name of [SO_SNDBUF, SO_RCVBUF]) check('setsockopt', c.setsockopt(fd, SOL_SOCKET, name, [bytes], 4))
}
/** The next close() of this TCP socket sends RST. */
export const resetOnClose = (fd: number): void =>
  void check('setsockopt', c.setsockopt(fd, SOL_SOCKET, SO_LINGER, [1, 0], 8))

export const mkfifo = (path: string): void => void check('mkfifo', c.mkfifo(path, 0o600))

/** A pty: its master, and the path of its slave. */
export function pty(): { master: number; slavePath: string } {
  const master = check('posix_openpt', c.posix_openpt(O.RDWR | O.NOCTTY | O.NONBLOCK | O.CLOEXEC))
  check('grantpt', c.grantpt(master))
  check('unlockpt', c.unlockpt(master))
  const name = new Uint8Array(64)
  check('ptsname_r', -c.ptsname_r(master, name, name.length))
  return { master, slavePath: new TextDecoder().decode(name.subarray(0, name.indexOf(0))) }
}

export const eventfd = (value = 0): number => check('eventfd', c.eventfd(value, O.NONBLOCK | O.CLOEXEC))
/** A timerfd that expires once, after so many seconds. */
export function timerfd(seconds: number): number {
  const fd = check('timerfd_create', c.timerfd_create(1, O.NONBLOCK | O.CLOEXEC))
  const nanoseconds = Math.round(seconds * 1e9)
  check('timerfd_settime', c.timerfd_settime(fd, 0, [0, 0, Math.floor(nanoseconds / 1e9), nanoseconds % 1e9], null))
  return fd
}
export const inotify = (): number => check('inotify_init1', c.inotify_init1(O.NONBLOCK | O.CLOEXEC))
/** Reports files created in the directory `path`. */
export const inotifyWatch = (fd: number, path: string): void =>
  void check('inotify_add_watch', c.inotify_add_watch(fd, path, 0x100))
export const epoll = (): number => check('epoll_create1', c.epoll_create1(O.CLOEXEC))
/** Adds `fd` to an epoll for reading. */
export function epollAdd(epollFd: number, fd: number): void {
  const event = new Uint8Array(16)
  event[0] = 1
  check('epoll_ctl', c.epoll_ctl(epollFd, 1, fd, event))
}

/** poll(2) with timeout 0: the revents of one descriptor. */
export function poll(fd: number, events: number): number {
  const entry = [{ fd, events, revents: 0 }]
  check('poll', c.poll(entry, 1, 0))
  return (entry[0] as { revents: number }).revents
}

/** The oracle: select(2) with timeout 0 on descriptors below 1024. */
export function select(read: number[], write: number[], except: number[]) {
  const sets = [read, write, except].map((list) => {
    const set = new Uint8Array(128)
    for (const fd of list) set[fd >> 3] = (set[fd >> 3] as number) | (1 << (fd & 7))
    return set
  }) as [Uint8Array, Uint8Array, Uint8Array]
  check('select', c.select(1024, ...sets, [0, 0]))
  const members = (list: number[], set: Uint8Array) => list.filter((fd) => (set[fd >> 3] as number) & (1 << (fd & 7)))
  return {
    readable: members(read, sets[0]),
    writable: members(write, sets[1]),
    exceptional: members(except, sets[2]),
  }
}
