/**
 * Which driver a thread's reactor gets; see native/node/driver.h.
 *
 * @module
 */
import { invalidSetting } from './errors.js'

/** Whether it is the thread. Throws where `FDEVENT_DRIVER` is neither `'thread'` nor `'nested'`, or asks for what cannot be had. */
export function threaded(): boolean {
  const forced = process.env['FDEVENT_DRIVER'] || undefined
  // Neither has libuv's loop: Bun ends the process when it is asked for it, Deno lacks some of its functions.
  const without = ['bun', 'deno'].find((runtime) => process.versions[runtime] !== undefined)
  if (forced !== undefined && forced !== 'thread' && forced !== 'nested') {
    throw invalidSetting(
      `the environment variable FDEVENT_DRIVER is 'thread' or 'nested', not ${JSON.stringify(forced)}`,
    )
  }
  if (forced === 'nested' && without !== undefined) {
    throw invalidSetting(`FDEVENT_DRIVER=nested needs libuv's event loop, which ${without} does not have`)
  }
  return forced === 'thread' || without !== undefined
}
