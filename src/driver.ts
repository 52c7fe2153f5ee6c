/**
 * Which driver a thread's reactor gets; see native/node/driver.h.
 *
 * @module
 */
import { invalidSetting } from './errors.js'

/** Whether it is the thread. Throws where `FDEVENT_DRIVER` is neither `'thread'` nor `'nested'`. */
export function threaded(): boolean {
  const forced = process.env['FDEVENT_DRIVER']
  if (forced === 'thread' || forced === 'nested') return forced === 'thread'
  if (forced !== undefined && forced !== '') {
    throw invalidSetting(
      `the environment variable FDEVENT_DRIVER is 'thread' or 'nested', not ${JSON.stringify(forced)}`,
    )
  }
  // Neither has libuv's loop: Bun aborts when it is asked for it, Deno's calls back once.
  return process.versions['bun'] !== undefined || process.versions['deno'] !== undefined
}
