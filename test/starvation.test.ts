import { once } from 'node:events'
import { openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import net from 'node:net'
import { readable, select, writable } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'

function pipe() {
  const fds = c.pipe()
  onTestFinished(() => fds.forEach(c.close))
  return fds
}

function readyPipe(): number {
  const [r, w] = pipe()
  c.write(w)
  return r
}

function file(): number {
  const fd = openSync(import.meta.filename, 'r')
  onTestFinished(() => c.close(fd))
  return fd
}

const GIVE_UP = 5000

/** Runs `loop` over and over until `goal` has come, and tells whether it came and how often the loop went round. */
async function beside(loops: (() => Promise<unknown>)[], goal: () => Promise<unknown>) {
  const end = performance.now() + GIVE_UP
  const rounds = loops.map(() => 0)
  let reached = false
  const goals = goal().then(() => {
    reached = true
  })
  await Promise.all(
    loops.map(async (loop, i) => {
      // The clock, because under starvation no timer would end this.
      while (!reached && performance.now() < end) {
        await loop()
        rounds[i] = (rounds[i] as number) + 1
      }
    }),
  )
  const inTime = reached
  await goals
  return { inTime, rounds }
}

const repeat = async (times: number, step: () => Promise<unknown>) => {
  for (let i = 0; i < times; i += 1) await step()
}
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

const goals: Record<string, () => Promise<unknown>> = {
  'ten timers': () => repeat(10, () => sleep(5)),
  'a hundred immediates': () => repeat(100, () => new Promise(setImmediate)),
  'twenty events of another descriptor': async () => {
    const [r, w] = pipe()
    await repeat(20, async () => {
      const wait = readable(r)
      await new Promise(setImmediate)
      c.write(w)
      await wait
      c.drain(r)
    })
  },
  'ten timeouts of other waits': async () => {
    const [r] = pipe()
    await repeat(10, () => readable(r, 0.005))
  },
  'fifty round trips of a TCP socket of Node': async () => {
    const server = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
    await repeat(50, async () => {
      client.write('x')
      await once(client, 'data')
    })
    client.destroy()
    server.close()
  },
  'twenty reads of fs.promises': () => repeat(20, () => readFile(import.meta.filename)),
}

const loops: Record<string, () => () => Promise<unknown>> = {
  readable: () => {
    const fd = readyPipe()
    return () => readable(fd)
  },
  'readable with a timeout': () => {
    const fd = readyPipe()
    return () => readable(fd, 10)
  },
  'a poll': () => {
    const fd = readyPipe()
    return () => readable(fd, 0)
  },
  writable: () => {
    const [, w] = pipe()
    return () => writable(w)
  },
  select: () => {
    const fd = readyPipe()
    return () => select([fd], [], [])
  },
  'readable on a regular file': () => {
    const fd = file()
    return () => readable(fd)
  },
}

for (const [loopName, loop] of Object.entries(loops)) {
  for (const [goalName, goal] of Object.entries(goals)) {
    test(`a loop of ${loopName} on an always-ready descriptor does not starve ${goalName}`, async () => {
      const { inTime, rounds } = await beside([loop()], goal)
      expect(inTime).toBe(true)
      expect(rounds[0]).toBeGreaterThan(0)
    })
  }
}

for (const [goalName, goal] of Object.entries(goals)) {
  test(`a hundred loops at once do not starve ${goalName}`, async () => {
    const hundred = Array.from({ length: 100 }, (_, i) => Object.values(loops)[i % 6]?.() as () => Promise<unknown>)
    const { inTime, rounds } = await beside(hundred, goal)
    expect(inTime).toBe(true)
    expect(Math.min(...rounds)).toBeGreaterThan(0)
  })
}

test('a hundred loops of one kind go round equally often', async () => {
  const hundred = Array.from({ length: 100 }, () => loops.readable?.() as () => Promise<unknown>)
  const { rounds } = await beside(hundred, () => sleep(300))
  expect(Math.min(...rounds)).toBeGreaterThan(10)
  expect(Math.max(...rounds) / Math.min(...rounds)).toBeLessThan(1.5)
})

// More than one batch holds, and more events than one question to the kernel answers.
for (const kind of ['readable', 'a poll', 'readable on a regular file'] as const) {
  for (const goalName of ['ten timers', 'twenty events of another descriptor', 'ten timeouts of other waits']) {
    test(`2,000 loops of ${kind} at once do not starve ${goalName}`, { timeout: 60_000 }, async () => {
      // A few descriptors serve all: here the number of waits is what matters.
      const some = Array.from({ length: 8 }, () => loops[kind]?.() as () => Promise<unknown>)
      const many = Array.from({ length: 2000 }, (_, i) => some[i % 8] as () => Promise<unknown>)
      const { inTime } = await beside(many, goals[goalName] as () => Promise<unknown>)
      expect(inTime).toBe(true)
    })
  }
}

test('600 always-ready descriptors at once all make progress, fairly', { timeout: 60_000 }, async () => {
  const many = Array.from({ length: 600 }, () => loops.readable?.() as () => Promise<unknown>)
  const { inTime, rounds } = await beside(many, () => sleep(500))
  expect(inTime).toBe(true)
  expect(Math.min(...rounds)).toBeGreaterThan(5)
  expect(Math.max(...rounds) / Math.min(...rounds)).toBeLessThan(2)
})
