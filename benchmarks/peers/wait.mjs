/** One-shot waits over any peer, and what became of them in words. */
import { setTimeout as sleep } from 'node:timers/promises'
import * as libc from './libc.mjs'

export { sleep }

// Some peers report strerror's text instead of a code.
const ERRNO = {
  'bad file descriptor': 'EBADF',
  'file exists': 'EEXIST',
  'file already exists': 'EEXIST',
  'no such file or directory': 'ENOENT',
  'operation not permitted': 'EPERM',
}
const reason = (error) =>
  error.notOffered
    ? 'not offered'
    : (error.code ?? ERRNO[error.message.toLowerCase()] ?? error.message.replace(/^.*: /, ''))

/**
 * Starts a wait that ends with its first event. `outcome` stays undefined while nothing happens.
 * With `onEvent`, it is told at once.
 */
export function start(peer, fd, interest, { onEvent, ...options } = {}) {
  const wait = { outcome: undefined, refused: false, notOffered: false, handle: undefined }
  let stopped = false
  wait.stop = () => {
    if (stopped) return
    stopped = true
    try {
      wait.handle?.stop()
    } catch (error) {
      wait.outcome = `${wait.outcome ?? 'nothing'}, stopping throws ${reason(error)}`
    }
  }
  const settle = (error, report) => {
    if (wait.outcome !== undefined || (stopped && !error)) return
    wait.outcome = error ? `rejects ${reason(error)}` : report
    // A peer that takes the descriptor over would close it here.
    if (!peer.takesOver) wait.stop()
    onEvent?.()
  }
  try {
    wait.handle = peer.watch(fd, interest, settle, options)
  } catch (error) {
    wait.outcome = error.notOffered ? 'not offered' : `refused (${reason(error)})`
    wait.refused = true
    wait.notOffered = error.notOffered === true
  }
  return wait
}

/** The outcome within so many milliseconds. */
export async function outcomeOf(wait, ms = 200) {
  const end = performance.now() + ms
  while (wait.outcome === undefined && performance.now() < end) await sleep(5)
  return wait.outcome ?? 'never fires'
}

/** Settles with the wait's first event. */
export const once = (peer, fd, interest) =>
  new Promise((resolve) => {
    const wait = start(peer, fd, interest, { onEvent: () => resolve(wait.outcome) })
    if (wait.refused) resolve(wait.outcome)
  })

/** [read end, write end] of the kind that the peer takes. */
export function channel(peer) {
  const blocking = peer.needs === 'blocking'
  return peer.needs === 'socket' ? libc.socketpair() : libc.pipe({ blocking })
}

export const socketpair = (peer) => libc.socketpair({ blocking: peer.needs === 'blocking' })
export const tcpPair = (peer) => libc.tcpPair({ blocking: peer.needs === 'blocking' })

/** CPU time of this process over so many milliseconds, in percent of one core. */
export async function cpuOver(ms) {
  const before = process.cpuUsage()
  const began = performance.now()
  await sleep(ms)
  const { user, system } = process.cpuUsage(before)
  return Math.round((user + system) / 10 / (performance.now() - began))
}

/** A spinning process on a busy machine gets only its share of a core; a waiting one takes 1 or 2 percent. */
export const cpuWord = (percent) => (percent >= 6 ? 'spins' : 'idle')
