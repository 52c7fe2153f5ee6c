/** Interest and readiness bits; native/sys/readiness.h has the same numbers. */

/** Data, an end of file, or a connection to accept. */
export const READABLE = 1
/** Room to write, or a connection attempt that has ended. */
export const WRITABLE = 2
/** Exceptional: out-of-band data of TCP, a packet-mode pty's state, an attribute of sysfs. */
export const PRIORITY = 4
/** The other side hung up. Reported whether asked for or not. */
export const HANGUP = 8
/** An error is pending (SO_ERROR of a socket), or a pipe's reader is gone. Reported whether asked for or not. */
export const ERROR = 16
