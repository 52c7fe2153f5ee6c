// The few system calls that the examples make through koffi, as a program does that binds a C library.
import { constants } from 'node:os'
import koffi from 'koffi'

const libc = koffi.load(null)
const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const NONBLOCK = 0o4000
const CLOEXEC = 0o2000000
const CLOCK_MONOTONIC = 1

const timerfdCreate = libc.func('int timerfd_create(int clock, int flags)')
const timerfdSettime = libc.func('int timerfd_settime(int fd, int flags, const int64_t *setting, void *old)')
const inotifyInit = libc.func('int inotify_init1(int flags)')
const inotifyAdd = libc.func('int inotify_add_watch(int fd, const char *path, uint32_t mask)')
const socket = libc.func('int socket(int domain, int type, int protocol)')
const connect = libc.func('int connect(int fd, const uint8_t *address, uint32_t length)')

function check(name, result) {
  if (result < 0) throw new Error(`${name} failed with errno ${koffi.errno()}`)
  return result
}

/** A descriptor that becomes readable after so many seconds. */
export function timerfd(seconds) {
  const fd = check('timerfd_create', timerfdCreate(CLOCK_MONOTONIC, NONBLOCK | CLOEXEC))
  const whole = Math.floor(seconds)
  // struct itimerspec: interval (s, ns), first expiry (s, ns)
  check('timerfd_settime', timerfdSettime(fd, 0, [0, 0, whole, Math.round((seconds - whole) * 1e9)], null))
  return fd
}

/** A descriptor that becomes readable when something in the folder is created or written. */
export function inotify(folder) {
  const IN_MODIFY = 0x2
  const IN_CREATE = 0x100
  const fd = check('inotify_init1', inotifyInit(NONBLOCK | CLOEXEC))
  check('inotify_add_watch', inotifyAdd(fd, folder, IN_MODIFY | IN_CREATE))
  return fd
}

/**
 * A TCP socket on its way to a port of an IPv4 address; writable when the attempt has ended, one way or the other. `errno` is 0,
 * or how it has ended already: a refusal on loopback may be there before connect() returns, and SO_ERROR then has been handed out.
 */
export function connecting(port, ip = '127.0.0.1') {
  const fd = check('socket', socket(AF_INET, SOCK_STREAM | NONBLOCK | CLOEXEC, 0))
  // struct sockaddr_in: family in the machine's order (little-endian here), port in the network's, address
  const address = Uint8Array.of(AF_INET, 0, port >> 8, port & 255, ...ip.split('.'), 0, 0, 0, 0, 0, 0, 0, 0)
  const errno = connect(fd, address, address.length) < 0 ? koffi.errno() : 0
  return { fd, errno: errno === constants.errno.EINPROGRESS ? 0 : errno }
}

/** A UDP socket that is bound to nothing, so nothing can ever be read from it. */
export function udpSocket() {
  return check('socket', socket(AF_INET, SOCK_DGRAM | NONBLOCK | CLOEXEC, 0))
}
