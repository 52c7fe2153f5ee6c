/** Kinds of descriptors and messages that few programs use, through koffi. */
import koffi from 'koffi'
import { O, type Pair } from './libc.js'
import { own } from './owned.js'

const libc = koffi.load(null)
koffi.struct('rare_iovec', { base: 'uint8_t *', length: 'size_t' })
koffi.struct('rare_msghdr', {
  name: 'void *',
  namelen: 'uint32_t',
  iov: 'rare_iovec *',
  iovlen: 'size_t',
  control: 'uint8_t *',
  controllen: 'size_t',
  flags: 'int',
})
const c = {
  pipe2: libc.func('int pipe2(_Out_ int *fds, int flags)'),
  sendmsg: libc.func('long sendmsg(int fd, const rare_msghdr *message, int flags)'),
  memfd_create: libc.func('int memfd_create(const char *name, uint32_t flags)'),
  fcntl: libc.func('int fcntl(int fd, int command, int value)'),
  ftruncate: libc.func('int ftruncate(int fd, int64_t length)'),
  setsockopt: libc.func('int setsockopt(int fd, int level, int name, const int *value, uint32_t length)'),
  cfmakeraw: libc.func('void cfmakeraw(void *termios)'),
  tcgetattr: libc.func('int tcgetattr(int fd, _Out_ uint8_t *termios)'),
  tcsetattr: libc.func('int tcsetattr(int fd, int when, const uint8_t *termios)'),
}
export const O_DIRECT = 0o40000

function check(name: string, result: number): number {
  if (result < 0) throw new Error(`${name}: errno ${koffi.errno()}`)
  return result
}

/** A pipe in packet mode: a read returns one write, or what fits of it. */
export function packetPipe(): Pair {
  const fds: Pair = [-1, -1]
  check('pipe2', c.pipe2(fds, O.NONBLOCK | O.CLOEXEC | O_DIRECT))
  return own(fds)
}

/** Sends data together with a descriptor over a UNIX socket. */
export function sendDescriptor(socket: number, data: Uint8Array, fd: number): void {
  // struct cmsghdr: length (8 bytes), level SOL_SOCKET, type SCM_RIGHTS, then the descriptor, padded.
  const control = new DataView(new ArrayBuffer(24))
  control.setBigUint64(0, 20n, true)
  control.setInt32(8, 1, true)
  control.setInt32(12, 1, true)
  control.setInt32(16, fd, true)
  const message = {
    name: null,
    namelen: 0,
    iov: [{ base: data, length: data.length }],
    iovlen: 1,
    control: new Uint8Array(control.buffer),
    controllen: 24,
    flags: 0,
  }
  check('sendmsg', Number(c.sendmsg(socket, message, 0)))
}

/** A file in memory of fixed length: writing beyond it fails with EPERM. */
export function sealedFile(length: number): number {
  const MFD_ALLOW_SEALING = 2
  const F_ADD_SEALS = 1033
  const F_SEAL_GROW = 4
  const fd = own(check('memfd_create', c.memfd_create('fdevent', MFD_ALLOW_SEALING | 1)))
  check('ftruncate', c.ftruncate(fd, length))
  check('fcntl', c.fcntl(fd, F_ADD_SEALS, F_SEAL_GROW))
  return fd
}

/** Urgent data of this TCP socket arrives in line with the rest. */
export function inlineOutOfBand(fd: number): void {
  check('setsockopt', c.setsockopt(fd, 1, 10, [1], 4))
}

/** Takes echo and line editing off a terminal. */
export function makeRaw(terminal: number): void {
  const termios = new Uint8Array(64)
  check('tcgetattr', c.tcgetattr(terminal, termios))
  c.cfmakeraw(termios)
  check('tcsetattr', c.tcsetattr(terminal, 0, termios))
}
