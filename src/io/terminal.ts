import { isatty } from 'node:tty'

/** Whether a read that failed has met the end: a terminal whose other side has gone says EIO where all else says 0. */
export function isEnd(error: unknown, fd: number): boolean {
  return (error as { code?: unknown }).code === 'EIO' && isatty(fd)
}
