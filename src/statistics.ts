import * as reactor from './reactor.js'

/** What the library holds at present in this thread. */
export interface Statistics {
  /** Waits that have not settled. */
  waits: number
  /** Watchers that are open and have a registration. */
  watches: number
  /** Open `AsyncFd`s. */
  streams: number
  /** Waits with a deadline ahead. */
  timed: number
  /** Descriptors that the kernel's poller knows. One stays known, silently, between two waits on it. */
  registered: number
  /** Of those, the ones the kernel would report. */
  armed: number
}

/**
 * What the library holds at present in this thread, for tests and for finding leaks. It walks its tables, so it is not
 * for hot paths.
 */
export function statistics(): Statistics {
  return reactor.statistics()
}
