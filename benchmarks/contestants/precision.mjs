/** `precision.mjs readable|poller|setTimeout COUNT`: lateness of so many timeouts of 50 us to 20 ms, in microseconds. */
import { Poller, readable } from 'fdevent'
import { pipe } from 'fdevent/io'

const SHORTEST = 50e-6
const LONGEST = 20e-3
// Several at once, or ten thousand take half a minute; so few that they hardly ever meet.
const LANES = 4

const [way, count] = process.argv.slice(2)
const total = Number(count)
const lateness = new Float64Array(total)
// The same timeouts in every run, in no order.
const span = (i) => SHORTEST * (LONGEST / SHORTEST) ** ((i * 0.6180339887498949) % 1)

const waits = {
  readable() {
    const [fd] = pipe()
    return (seconds) => readable(fd, seconds)
  },
  setTimeout: () => (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1e3)),
}

async function lane(wait, start) {
  for (let i = start; i < total; i += LANES) {
    const seconds = span(i)
    const began = performance.now()
    await wait(seconds)
    lateness[i] = (performance.now() - began) * 1e3 - seconds * 1e6
  }
}

function block() {
  const poller = new Poller()
  for (let i = 0; i < total; i += 1) {
    const seconds = span(i)
    const began = performance.now()
    poller.wait(seconds)
    lateness[i] = (performance.now() - began) * 1e3 - seconds * 1e6
  }
}

if (way === 'poller') block()
else await Promise.all(Array.from({ length: LANES }, (_, start) => lane(waits[way](), start)))

lateness.sort()
// performance.now() is a double of milliseconds: below its grain there is no early.
const GRAIN = 0.01
console.log(
  JSON.stringify({
    median: lateness[Math.floor(total / 2)],
    p99: lateness[Math.floor(total * 0.99)],
    earliest: lateness[0],
    early: lateness.filter((late) => late < -GRAIN).length,
  }),
)
