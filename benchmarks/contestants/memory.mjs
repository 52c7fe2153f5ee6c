/** `memory.mjs readable|setTimeout WAITS`: what pending waits occupy, in bytes for each, and what is left of it. */
import { readable, statistics } from 'fdevent'
import { socketpair } from 'fdevent/io'

const SECONDS = 1.5
const BURSTS = 5

const [way, count] = process.argv.slice(2)
const waits = Number(count)
const descriptors = way === 'readable' ? Array.from({ length: waits / 2 }, () => socketpair()).flat() : []

const begin = {
  readable: (i) => readable(descriptors[i], SECONDS),
  setTimeout: () => new Promise((resolve) => setTimeout(resolve, SECONDS * 1e3)),
}[way]

async function occupied() {
  // A collection may leave work for the next turn of the loop.
  for (let i = 0; i < 4; i += 1) {
    gc()
    await new Promise(setImmediate)
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, js: heapUsed + external }
}

async function burst() {
  const pending = Array.from({ length: waits }, (_, i) => begin(i))
  const during = await occupied()
  if (way === 'readable' && statistics().waits !== waits) throw new Error('some waits have settled too early')
  await Promise.all(pending)
  return during
}

// Compiled code, and the poller itself, are not part of a wait.
if (way === 'readable') await Promise.all(descriptors.slice(0, 100).map((fd) => readable(fd, 0.001)))
const before = await occupied()
const during = await burst()
const after = await occupied()
for (let i = 1; i < BURSTS; i += 1) await burst()
const last = await occupied()

const each = (bytes) => bytes / waits
console.log(
  JSON.stringify({
    resident: each(during.rss - before.rss),
    heap: each(during.js - before.js),
    left: each(last.js - after.js),
    growth: each(last.rss - after.rss),
  }),
)
