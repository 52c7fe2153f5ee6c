/**
 * Readiness for raw file descriptors: suspend until a descriptor is readable or writable, or until time has passed,
 * with select(2)'s exact meaning.
 *
 * @module
 */
export { AbortError, FdError } from './errors.js'
export { type FdLike, fileno } from './fileno.js'
export type { WaitOptions } from './options.js'
export { type Platform, platform } from './platform.js'
export { type Notifier, notify, Poller } from './poller.js'
export { ERROR, HANGUP, PRIORITY, READABLE, WRITABLE } from './readiness.js'
export type { Seconds } from './seconds.js'
export { type Selection, select } from './select.js'
export { type Statistics, statistics } from './statistics.js'
export { closing, readable, writable } from './wait.js'
export { Watcher, type WatchListener, type WatchOptions, watch } from './watcher.js'
