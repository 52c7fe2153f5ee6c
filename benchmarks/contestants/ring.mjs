/**
 * The ring that every contestant of `chain` passes bytes along, as benchmarks/native/chain.c does: a byte that arrives at a
 * pair is read, and written on to the next pair.
 */
import { writeSync } from 'node:fs'
import { read, setNonBlocking, socketpair, write } from 'fdevent/io'

export function openRing({ pairs, active, events, idle = 0, blocking = false }) {
  const reads = new Int32Array(pairs)
  const entries = new Int32Array(pairs)
  for (let i = 0; i < pairs; i += 1) {
    const ends = socketpair()
    if (blocking) for (const fd of ends) setNonBlocking(fd, false)
    ;[reads[i], entries[i]] = ends
  }
  /** Where a byte goes that was read from `reads[i]`. */
  const writes = entries.map((_, i) => entries[(i + 1) % pairs])
  const byte = new Uint8Array([120])

  let fired = 0
  // A whole run before the clock starts: compiled code is what a long-lived program executes.
  let mark = Math.max(1, Math.ceil(events / 2))
  let began = 0
  let usage
  const reach = () => {
    if (began === 0) {
      began = performance.now()
      usage = process.cpuUsage()
      mark += events
      return
    }
    const value = ((performance.now() - began) * 1e6) / events
    const { user, system } = process.cpuUsage(usage)
    writeSync(1, `${JSON.stringify({ value, cpu: ((user + system) * 1e3) / events })}\n`)
    // A thread that is blocked in a read would keep the process from ending.
    if (blocking) for (const fd of entries) write(fd, byte)
    // Bytes are still travelling: there is nothing to wind down for.
    process.exit(0)
  }
  const count = () => {
    fired += 1
    if (fired === mark) reach()
  }

  return {
    reads,
    writes,
    /** Descriptors to register beside the ring, which never become ready. */
    idle: Array.from({ length: idle / 2 }, () => socketpair()).flat(),
    count,
    /** Passes on what has arrived at pair `i`. */
    pass(i) {
      if (read(reads[i], byte) !== 1) throw new Error('woken without a byte to read')
      write(writes[i], byte)
      count()
    },
    /** Passes on a byte that somebody else has read. */
    passOn(i) {
      write(writes[i], byte)
      count()
    },
    /** Lets the bytes loose. */
    start() {
      for (let i = 0; i < active; i += 1) write(entries[Math.floor((i * pairs) / active)], byte)
    },
  }
}
