import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { closing, readable, select, statistics, writable } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { GENEROUS, idleCpu, outcome, park, pipe, replace, turn } from './helpers/parked.js'

test('dup2 onto a waited number: the old wait never sees the new object, and ends with EBADF at its deadline', async () => {
  const [r] = pipe()
  const [other, w] = pipe()
  const old = outcome(readable(r, 0.06))
  replace(r, other)
  c.write(w)
  expect(await old).toBe('EBADF')
})

test('dup2 onto a waited number: the next wait is served, and the old one rejects', async () => {
  const [r] = pipe()
  const [other, w] = pipe()
  const old = outcome(readable(r))
  replace(r, other)
  const fresh = readable(r, 10)
  expect(await old).toBe('EBADF')
  c.write(w)
  expect(await fresh).toBe(true)
})

test('dup2 onto a waited number: a select there rejects too when the number is next waited for', async () => {
  const [r] = pipe()
  const [bystander] = pipe()
  const [other, w] = pipe()
  const old = outcome(select([bystander, r], [], []))
  replace(r, other)
  const fresh = select([r], [], [], 10)
  expect(await old).toBe('EBADF')
  c.write(w)
  expect(await fresh).toEqual({ readable: [r], writable: [], exceptional: [] })
})

test('a number reused while a duplicate of the old object lives: events of the old wake no new wait', async () => {
  const [r, w] = pipe()
  park(c.dup(r))
  const [other, otherWriter] = pipe()
  const old = outcome(readable(r))
  replace(r, other)
  let settled = false
  const fresh = readable(r, 10).then((ready) => {
    settled = true
    return ready
  })
  expect(await old).toBe('EBADF')
  c.write(w)
  await turn()
  expect(settled).toBe(false)
  c.write(otherWriter)
  expect(await fresh).toBe(true)
})

test('a number reused while a duplicate of a hung-up object lives: no wrong wake and no spin', async () => {
  const [a, b] = c.socketpair().map(park) as c.Pair
  park(c.dup(a))
  const [other] = pipe()
  c.fill(a)
  const old = outcome(writable(a))
  replace(a, other)
  const controller = new AbortController()
  const fresh = outcome(readable(a, { signal: controller.signal }))
  expect(await old).toBe('EBADF')
  c.close(b)
  expect(await idleCpu()).toBeLessThan(GENEROUS)
  expect(statistics().waits).toBe(1)
  controller.abort()
  expect(await fresh).toBe('ABORT_ERR')
})

test('an object brought back to its old number is served there', async () => {
  const [r, w] = pipe()
  const duplicate = park(c.dup(r))
  const old = readable(r, 10)
  c.close(r)
  c.dup2(duplicate, r)
  const fresh = readable(r, 10)
  c.write(w)
  expect(await Promise.all([old, fresh])).toEqual([true, true])
})

// Standard input is redirected and restored like this.
test('an object away from its number and back: the wait on the one in between does not see its events', async () => {
  const [r, w] = pipe()
  const saved = park(c.dup(r))
  c.write(w)
  expect(await readable(r, 10)).toBe(true)
  c.drain(r)
  const [other] = pipe()
  replace(r, other)
  const between = outcome(readable(r, 0.2))
  replace(r, saved)
  const fresh = readable(r, 10)
  c.write(w)
  expect(await fresh).toBe(true)
  expect(await between).toBe('EBADF')
})

test('an object away from its number and back: events of the one in between do not wake its wait', async () => {
  const [r, w] = pipe()
  const saved = park(c.dup(r))
  c.write(w)
  expect(await readable(r, 10)).toBe(true)
  c.drain(r)
  const [other, otherWriter] = pipe()
  replace(r, other)
  const between = outcome(readable(r, 0.2))
  replace(r, saved)
  const fresh = readable(r, 0.2)
  c.write(otherWriter)
  expect(await fresh).toBe(false)
  await between
})

test('an object away from its number and back: the wait on the one in between ends with EBADF', async () => {
  const [r, w] = pipe()
  const saved = park(c.dup(r))
  c.write(w)
  expect(await readable(r, 10)).toBe(true)
  c.drain(r)
  const [other] = pipe()
  replace(r, other)
  const between = outcome(readable(r, 0.05))
  replace(r, saved)
  expect(await between).toBe('EBADF')
})

test('an event of the old object and a deadline in one turn: the new object does not answer for the old one', async () => {
  const [a, b] = c.socketpair().map(park) as c.Pair
  park(c.dup(a))
  c.fill(a)
  const reader = outcome(readable(a, 10))
  const writer = outcome(writable(a, 0.01))
  c.write(b)
  const [other] = c.socketpair().map(park) as c.Pair // writable, as the old object is not
  replace(a, other)
  for (const end = performance.now() + 20; performance.now() < end;);
  expect([true, 'EBADF']).toContain(await reader)
  expect(await writer).toBe('EBADF')
})

test('a number that becomes a regular file: the next wait is ready, the old one rejects', async () => {
  const [r] = pipe()
  const file = park(openSync(import.meta.filename, 'r'))
  const old = outcome(readable(r))
  replace(r, file)
  expect(await readable(r, 10)).toBe(true)
  expect(await old).toBe('EBADF')
})

test('a number that becomes a regular file: the old wait ends with EBADF at its deadline', async () => {
  const [r] = pipe()
  const file = park(openSync(import.meta.filename, 'r'))
  const old = outcome(readable(r, 0.05))
  replace(r, file)
  expect(await old).toBe('EBADF')
})

test('a regular file whose number becomes a pipe is waited for as a pipe', async () => {
  const file = park(openSync(import.meta.filename, 'r'))
  expect(await readable(file, 10)).toBe(true)
  const [r, w] = pipe()
  replace(file, r)
  expect(await readable(file, 0.02)).toBe(false)
  c.write(w)
  expect(await readable(file, 10)).toBe(true)
})

for (const announced of [true, false]) {
  test(`a number reused 1,000 times, closes ${announced ? 'announced' : 'unannounced'}: each wait meets its own object`, async () => {
    const number = park(c.eventfd())
    let rejected = 0
    for (let i = 0; i < 1000; i += 1) {
      const [r, w] = c.pipe()
      if (announced) closing(number)
      c.dup2(r, number)
      c.close(r)
      const served = readable(number, 10)
      c.write(w, String(i))
      expect(await served).toBe(true)
      expect(new TextDecoder().decode(c.read(number) as Uint8Array)).toBe(String(i))
      // This one is pending when its object goes away.
      readable(number, 30).catch((error) => {
        rejected += Number(error.code === 'EBADF')
      })
      c.close(w)
    }
    closing(number)
    await turn()
    expect(rejected).toBe(1000)
    expect(statistics().waits).toBe(0)
  })
}

test('an unannounced close while a child holds the descriptor: no spin, and EBADF at the deadline', async () => {
  const [r, w] = pipe()
  const child = spawn('sleep', ['30'], { stdio: ['ignore', 'ignore', 'ignore', r] })
  onTestFinished(() => void child.kill())
  await once(child, 'spawn')
  const wait = outcome(readable(r, 1.5))
  c.close(r)
  expect(await idleCpu()).toBeLessThan(GENEROUS)
  expect(await wait).toBe('EBADF')
  expect(c.write(w)).toBe(1) // the child keeps the pipe alive
})

test('an announced close while a child holds the descriptor: its data wakes nobody', async () => {
  const [r, w] = pipe()
  const child = spawn('sleep', ['30'], { stdio: ['ignore', 'ignore', 'ignore', r] })
  onTestFinished(() => void child.kill())
  await once(child, 'spawn')
  const old = outcome(readable(r))
  closing(r)
  const [other] = pipe()
  replace(r, other)
  const fresh = readable(r, 0.05)
  c.write(w)
  expect(await old).toBe('EBADF')
  expect(await fresh).toBe(false)
})
