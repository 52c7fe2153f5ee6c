import { readdirSync } from 'node:fs'
import { statistics } from 'fdevent'
import { expect, test } from 'vitest'
import { leave, serveExample } from './helpers/examples.js'
import { eventually } from './helpers/owned.js'
import { report } from './helpers/run.js'
import { GET, Raw } from './helpers/wsgi.js'

const descriptors = (): number => readdirSync('/proc/self/fd').length

// Repeated because a machine that stands still for a moment is no drift of the clock's; a clock that drifts does so each time.
test(
  '500 clients get a line a second, never early, with less than 50 ms of drift, and leave nothing',
  { retry: 3, timeout: 60_000 },
  async () => {
    const [CLIENTS, LINES] = [500, 7]
    const served = await serveExample('clock')
    // The library opens its own descriptors with the first wait.
    const first = await Raw.connect(served)
    first.send(GET)
    await first.until(/line 0/)
    await leave(first)
    const before = descriptors()
    const from = performance.now()
    const listening = report<{ order: number[]; late: number[] }[]>('clock-clients.mjs', [
      String(served.port),
      String(CLIENTS),
      String(LINES),
    ])
    await eventually(() => statistics().waits).toBe(CLIENTS)
    const heard = await listening
    expect(performance.now() - from).toBeGreaterThanOrEqual((LINES - 1) * 1000)
    expect(heard).toHaveLength(CLIENTS)
    for (const { order } of heard) expect(order).toEqual(Array.from({ length: LINES }, (_, i) => i))
    const late = heard.flatMap((client) => client.late)
    const [median, most] = [late.toSorted((a, b) => a - b)[late.length >> 1], Math.max(...late)]
    console.log(`clock, ${CLIENTS} clients, ${LINES} lines: ${most} ms late at most, the median ${median} ms`)
    // All are gone, each in the middle of a wait.
    await eventually(() => statistics().waits).toBe(0)
    await eventually(descriptors).toBeLessThanOrEqual(before)
    expect(served.log).toEqual([])
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0)
    expect(most).toBeLessThan(50)
  },
)

test('a line that comes late, here because the process stood still, delays none that follow', async () => {
  const served = await serveExample('clock')
  const client = await Raw.connect(served)
  client.send(GET)
  await client.until(/line 0/)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1700)
  await client.until(/line 3/)
  const [, first, second, third] = [...client.received.matchAll(/, ([\d.]+) ms late/g)].map(([, ms]) => Number(ms))
  expect(first).toBeGreaterThan(500)
  // Were they a second after each other, these would be as late.
  expect(second).toBeLessThan(500)
  expect(third).toBeLessThan(500)
  await leave(client)
})
