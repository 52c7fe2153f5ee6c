/** The floor in JavaScript: native/bare.c's four functions and nothing else. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { BUILD } from '../../harness/paths.mjs'

export function waiting({ reads, writes, count }) {
  const addon = createRequire(import.meta.url)(join(BUILD, 'bare.node'))
  const poller = addon.open(reads)
  const ready = new Int32Array(512)
  const byte = new Uint8Array(1)
  setImmediate(() => {
    for (;;) {
      const events = addon.wait(poller, ready)
      for (let at = 0; at < events; at += 1) {
        const i = ready[at]
        addon.read(reads[i], byte)
        addon.write(writes[i], byte)
        count()
      }
    }
  })
}
