/**
 * `fdevent/io`: what to do with a descriptor once it is ready.
 *
 * @module
 */
export { AsyncFd, type AsyncFdOptions } from './async-fd.js'
export {
  accept,
  close,
  dup,
  isNonBlocking,
  MSG_OOB,
  MSG_PEEK,
  pipe,
  read,
  recv,
  send,
  setNonBlocking,
  socketError,
  socketpair,
  WOULD_BLOCK,
  write,
} from './calls.js'
