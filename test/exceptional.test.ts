import { readable, select, writable } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { close, eventually, socketpair, tcpPair, turns, watched } from './helpers/owned.js'

/** A TCP connection whose first end has an out-of-band byte, once the oracle sees it. */
async function withOutOfBandByte(): Promise<c.Pair> {
  const [a, b] = tcpPair()
  c.sendOutOfBand(b)
  await eventually(() => c.poll(a, c.POLL.PRI)).toBe(c.POLL.PRI)
  return [a, b]
}

const nothing = { readable: [], writable: [], exceptional: [] }

test('an out-of-band byte ends a pending readable', async () => {
  const [a, b] = tcpPair()
  const wait = watched(readable(a))
  await turns()
  expect(wait.state).toBe('pending')
  c.sendOutOfBand(b)
  await eventually(() => wait).toEqual({ state: 'resolved', value: true })
})

test('an out-of-band byte ends a pending writable, though there is no room', async () => {
  const [a, b] = tcpPair()
  c.fill(a)
  const wait = watched(writable(a))
  await turns()
  expect(wait.state).toBe('pending')
  c.sendOutOfBand(b)
  await eventually(() => wait).toEqual({ state: 'resolved', value: true })
  expect(c.select([], [a], [a])).toEqual({ readable: [], writable: [], exceptional: [a] })
})

test('an out-of-band byte ends a pending select that asks for it', async () => {
  const [a, b] = tcpPair()
  const wait = watched(select([], [], [a]))
  await turns()
  expect(wait.state).toBe('pending')
  c.sendOutOfBand(b)
  await eventually(() => wait).toEqual({ state: 'resolved', value: { ...nothing, exceptional: [a] } })
})

test('a byte that was there before the wait counts', async () => {
  const [a] = await withOutOfBandByte()
  expect(await readable(a, 5)).toBe(true)
  expect(await readable(a, 0)).toBe(true)
})

test('select names it in exceptional, and readable as the oracle does', async () => {
  const [a] = await withOutOfBandByte()
  const expected = c.select([a], [a], [a])
  expect(expected.exceptional).toEqual([a])
  expect(await select([a], [a], [a], 0)).toEqual(expected)
  expect(await select([a], [a], [a], 5)).toEqual(expected)
})

test('select for reading alone is not answered by an out-of-band byte alone', async () => {
  const [a] = await withOutOfBandByte()
  expect(c.select([a], [], [])).toEqual(nothing)
  expect(await select([a], [], [], 0)).toEqual(nothing)
  expect(await select([a], [], [], 0.02)).toEqual(nothing)
})

test('a wait for reading alone still sees data that follows the out-of-band byte', async () => {
  const [a, b] = await withOutOfBandByte()
  const wait = watched(select([a], [], []))
  await turns()
  expect(wait.state).toBe('pending')
  c.write(b, 'data')
  await eventually(() => wait).toEqual({ state: 'resolved', value: { ...nothing, readable: [a] } })
})

test('in-band data after the out-of-band byte is readable', async () => {
  const [a, b] = await withOutOfBandByte()
  expect(c.recvOutOfBand(a)).toEqual(new TextEncoder().encode('!'))
  expect(await select([a], [], [a], 0)).toEqual(c.select([a], [], [a]))
  c.write(b, 'then')
  expect(await readable(a, 5)).toBe(true)
  expect(new TextDecoder().decode(c.read(a) as Uint8Array)).toBe('then')
  expect(await readable(a, 0.01)).toBe(false)
})

test('data and an out-of-band byte together answer both lists', async () => {
  const [a, b] = tcpPair()
  c.write(b, 'data')
  c.sendOutOfBand(b)
  await eventually(() => c.poll(a, c.POLL.PRI | c.POLL.IN)).toBe(c.POLL.PRI | c.POLL.IN)
  expect(await select([a], [], [a], 5)).toEqual({ ...nothing, readable: [a], exceptional: [a] })
})

test('the condition holds until the byte is taken', async () => {
  const [a] = await withOutOfBandByte()
  for (let i = 0; i < 3; i += 1) expect((await select([], [], [a], 5)).exceptional).toEqual([a])
  c.recvOutOfBand(a)
  expect(c.select([], [], [a])).toEqual(nothing)
  expect(await select([], [], [a], 0.01)).toEqual(nothing)
})

test('a second out-of-band byte ends the next wait', async () => {
  const [a, b] = await withOutOfBandByte()
  c.recvOutOfBand(a)
  const wait = select([], [], [a], 10)
  c.sendOutOfBand(b, '?')
  expect((await wait).exceptional).toEqual([a])
})

test('ordinary data is not exceptional', async () => {
  const [a, b] = tcpPair()
  c.write(b)
  expect(await readable(a, 5)).toBe(true)
  expect(await select([], [], [a], 0.02)).toEqual(nothing)
})

test('a hang-up is not exceptional', async () => {
  const [a, b] = socketpair()
  c.shutdown(b, 'both')
  expect(c.select([], [], [a])).toEqual(nothing)
  expect(await select([], [], [a], 0.02)).toEqual(nothing)
})

test('a reset is not exceptional', async () => {
  const [a, b] = tcpPair()
  c.resetOnClose(b)
  close(b)
  await eventually(() => c.poll(a, 0)).not.toBe(0)
  expect(c.select([], [], [a])).toEqual(nothing)
  expect(await select([], [], [a], 0.02)).toEqual(nothing)
})
