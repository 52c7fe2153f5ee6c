import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { closing, type FdLike, readable, select, statistics, writable } from 'fdevent'
import { describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import {
  close,
  closedNumber,
  eventually,
  openPath,
  own,
  pipe,
  socketpair,
  tcpPair,
  temporaryDirectory,
  turns,
  watched,
} from './helpers/owned.js'

const nothing = { readable: [], writable: [], exceptional: [] }

function regularFile(): number {
  const path = join(temporaryDirectory(), 'file')
  writeFileSync(path, 'content')
  return openPath(path, 'r+')
}

/** A socket that is neither readable nor writable, and its peer. */
function stuck(): c.Pair {
  const [a, b] = socketpair()
  c.fill(a)
  return [a, b]
}

describe('what it resolves with', () => {
  test('all that is ready, in the order given, and nothing else', async () => {
    const idle = pipe()[0]
    const readers = Array.from({ length: 6 }, pipe)
    for (const [, w] of readers) c.write(w)
    const fds = readers.map(([r]) => r).reverse()
    const writers = [pipe()[1], pipe()[0], pipe()[1]]
    const expected = { readable: fds, writable: [writers[0], writers[2]], exceptional: [] }
    expect(await select([idle, ...fds], writers, [idle, ...fds], 0)).toEqual(expected)
    expect(await select([idle, ...fds], writers, [idle, ...fds], 5)).toEqual(expected)
    expect(await select([idle, ...fds], writers, [idle, ...fds])).toEqual(expected)
  })

  test('complete lists also when the readiness comes during the wait', async () => {
    const pairs = Array.from({ length: 4 }, stuck)
    const fds = pairs.map(([a]) => a)
    const wait = watched(select(fds, fds, fds))
    await turns()
    expect(wait.state).toBe('pending')
    c.write((pairs[2] as c.Pair)[1])
    c.write((pairs[0] as c.Pair)[1])
    c.drain((pairs[3] as c.Pair)[1])
    await eventually(() => wait.state).toBe('resolved')
    expect(wait.value).toEqual({ readable: [fds[0], fds[2]], writable: [fds[3]], exceptional: [] })
  })

  test('one descriptor in several lists stands in each that it answers', async () => {
    const [a, b] = socketpair()
    c.write(b)
    expect(await select([a], [a], [a], 1)).toEqual({ readable: [a], writable: [a], exceptional: [] })
  })

  test('an exceptional condition stands beside the other lists', async () => {
    const [a, b] = tcpPair()
    c.write(b)
    c.sendOutOfBand(b)
    await eventually(() => c.poll(a, c.POLL.PRI | c.POLL.IN)).toBe(c.POLL.PRI | c.POLL.IN)
    expect(await select([a], [a], [a], 1)).toEqual({ readable: [a], writable: [a], exceptional: [a] })
  })

  test('the very objects that were passed, not their numbers', async () => {
    const [a, b] = socketpair()
    c.write(b)
    const reading = { fileno: () => a }
    const writing = { fd: a, name: 'the same descriptor' }
    const result = await select([reading], [writing], [reading], 1)
    expect(result.readable[0]).toBe(reading)
    expect(result.writable[0]).toBe(writing)
    expect(result.exceptional).toEqual([])
  })

  test('duplicates as often as they were given', async () => {
    const [a, b] = socketpair()
    c.write(b)
    const named = { fd: a }
    expect(await select([a, named, a], [], [], 1)).toEqual({ ...nothing, readable: [a, named, a] })
  })

  test('new lists, which the caller may change', async () => {
    const [r, w] = pipe()
    const list: FdLike[] = [r]
    c.write(w)
    const result = await select(list, [], [], 1)
    result.readable.push(w)
    expect(list).toEqual([r])
  })

  test('accepts any iterable, and goes through it once', async () => {
    const [r, w] = pipe()
    let rounds = 0
    const reading = function* (): Generator<number> {
      rounds += 1
      yield r
    }
    expect(await select(reading(), new Set([w]), new Map([[r, 1]]).keys(), 1)).toEqual({ ...nothing, writable: [w] })
    expect(rounds).toBe(1)
  })

  test('a list changed during the wait changes nothing', async () => {
    const [r, w] = pipe()
    const list = [r]
    const wait = select(list, [], [], 5)
    list.length = 0
    c.write(w)
    expect((await wait).readable).toEqual([r])
  })

  test('a hung-up read end is readable and not writable', async () => {
    const [r, w] = pipe()
    close(w)
    expect(await select([r], [r], [r], 1)).toEqual({ ...nothing, readable: [r] })
  })

  test('an error is readable and writable', async () => {
    const [r, w] = pipe()
    close(r)
    expect(await select([w], [w], [w], 1)).toEqual({ ...nothing, readable: [w], writable: [w] })
  })
})

describe('timeout', () => {
  test('is three empty lists, after the full time', async () => {
    const [a] = stuck()
    const start = process.hrtime.bigint()
    expect(await select([a], [a], [a], 0.02)).toEqual(nothing)
    expect(process.hrtime.bigint() - start).toBeGreaterThanOrEqual(20_000_000n)
  })

  test('zero asks for the present state', async () => {
    const [a, b] = stuck()
    expect(await select([a], [a], [a], 0)).toEqual(nothing)
    c.write(b)
    expect(await select([a], [a], [a], 0)).toEqual({ ...nothing, readable: [a] })
  })

  test('without descriptors it is a sleep', async () => {
    for (let i = 0; i < 20; i += 1) {
      const start = process.hrtime.bigint()
      expect(await select([], [], [], 0.0031)).toEqual(nothing)
      expect(process.hrtime.bigint() - start).toBeGreaterThanOrEqual(3_100_000n)
    }
  })

  test('without descriptors and with timeout zero it answers at once', async () => {
    expect(await select([], [], [], 0)).toEqual(nothing)
  })

  test('without descriptors and without a timeout it waits until it is aborted', async () => {
    const controller = new AbortController()
    const wait = watched(select([], [], [], null, { signal: controller.signal }))
    await turns()
    expect(wait.state).toBe('pending')
    controller.abort()
    await eventually(() => wait).toMatchObject({ state: 'rejected', reason: { code: 'ABORT_ERR' } })
  })

  test('leaves nothing registered', async () => {
    const before = statistics()
    const fds = Array.from({ length: 10 }, () => stuck()[0])
    await select(fds, fds, fds, 0.005)
    expect(statistics()).toEqual(before)
  })
})

describe('after it has settled', () => {
  test('the members that were not ready are no longer armed', async () => {
    const before = statistics()
    const fds = Array.from({ length: 10 }, () => stuck()[0])
    const [r, w] = pipe()
    const wait = select([...fds, r], fds, fds)
    expect(statistics()).toMatchObject({ waits: 1, armed: 11 })
    c.write(w)
    await wait
    expect(statistics()).toMatchObject({ waits: 0, armed: 0, timed: before.timed })
    expect(statistics().registered).toBeLessThanOrEqual(before.registered + 1)
  })

  test('later readiness of a member disturbs nothing', async () => {
    const [r, w] = pipe()
    const [r2, w2] = pipe()
    const wait = select([r, r2], [], [], 5)
    c.write(w)
    expect((await wait).readable).toEqual([r])
    c.write(w2)
    await turns()
    expect(statistics().waits).toBe(0)
    expect((await select([r, r2], [], [], 5)).readable).toEqual([r, r2])
  })
})

describe('a member that is not open', () => {
  test.each([0, 5, null])('fails the whole call with EBADF, with a timeout of %s', async (timeout) => {
    const [r, w] = pipe()
    const closed = closedNumber()
    c.write(w)
    const calls: [number[], number[], number[]][] = [
      [[r, closed], [], []],
      [[r], [closed], []],
      [[r], [w], [closed]],
    ]
    for (const [read, write, except] of calls) {
      await expect(select(read, write, except, timeout)).rejects.toMatchObject({
        name: 'FdError',
        code: 'EBADF',
        fd: closed,
      })
    }
  })

  test('leaves nothing behind of the other members', async () => {
    const before = statistics()
    const fds = Array.from({ length: 10 }, () => stuck()[0])
    await expect(select([...fds, closedNumber()], fds, [])).rejects.toMatchObject({ code: 'EBADF' })
    expect(statistics()).toEqual(before)
  })

  test('leaves other waits on the members alone', async () => {
    const [r, w] = pipe()
    const other = watched(readable(r))
    await expect(select([r, closedNumber()], [], [])).rejects.toMatchObject({ code: 'EBADF' })
    await turns()
    expect(other.state).toBe('pending')
    c.write(w)
    await eventually(() => other).toEqual({ state: 'resolved', value: true })
  })
})

describe('ending it', () => {
  test('an abort rejects it and disarms all members', async () => {
    const before = statistics()
    const fds = Array.from({ length: 10 }, () => stuck()[0])
    const controller = new AbortController()
    const reason = new Error('enough')
    const wait = watched(select(fds, fds, fds, 5, { signal: controller.signal }))
    await turns(1)
    controller.abort(reason)
    expect(statistics()).toEqual(before)
    await eventually(() => wait).toMatchObject({ state: 'rejected', reason: { code: 'ABORT_ERR', cause: reason } })
  })

  test('a signal aborted before the call rejects it, even when a member is ready', async () => {
    const [, w] = pipe()
    await expect(select([], [w], [], 5, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' })
  })

  test('closing() of one member rejects it and disarms the others', async () => {
    const before = statistics()
    const fds = Array.from({ length: 10 }, () => stuck()[0])
    const wait = watched(select(fds, fds, fds))
    const fourth = fds[4] as number
    closing(fourth)
    close(fourth)
    expect(statistics()).toEqual(before)
    await eventually(() => wait).toMatchObject({ state: 'rejected', reason: { code: 'EBADF', fd: fourth } })
  })

  test('a member closed without a word is EBADF at the deadline', async () => {
    const fds = [stuck()[0], stuck()[0]]
    const wait = watched(select(fds, [], [], 0.02))
    close(fds[1] as number)
    await eventually(() => wait).toMatchObject({ state: 'rejected', reason: { code: 'EBADF', fd: fds[1] } })
  })
})

describe('regular files', () => {
  test('are ready for reading and writing, along with what else is', async () => {
    const file = regularFile()
    const [r, w] = pipe()
    expect(await select([r, file], [file], [file])).toEqual({ readable: [file], writable: [file], exceptional: [] })
    c.write(w)
    expect(await select([r, file], [], [])).toEqual({ ...nothing, readable: [r, file] })
  })

  test('never are exceptional: a wait for that alone times out', async () => {
    const file = regularFile()
    expect(c.select([], [], [file])).toEqual(nothing)
    expect(await select([], [], [file], 0)).toEqual(nothing)
    expect(await select([], [], [file], 0.02)).toEqual(nothing)
  })

  test('wanted exceptional do not keep another member from being served', async () => {
    const [r, w] = pipe()
    const wait = select([r], [], [regularFile()], 5)
    c.write(w)
    expect(await wait).toEqual({ ...nothing, readable: [r] })
  })

  test('wanted exceptional and closed with closing() reject like any member', async () => {
    const file = regularFile()
    const wait = watched(select([], [], [file]))
    await turns(1)
    closing(file)
    await eventually(() => wait).toMatchObject({ state: 'rejected', reason: { code: 'EBADF', fd: file } })
  })
})

describe('other waits on the same descriptors', () => {
  test('go on when the select is answered by another member', async () => {
    const [a, b] = stuck()
    const [r, w] = pipe()
    const reader = watched(readable(a))
    const writer = watched(writable(a))
    const wait = select([a, r], [a], [a])
    c.write(w)
    expect(await wait).toEqual({ ...nothing, readable: [r] })
    await turns()
    expect([reader.state, writer.state]).toEqual(['pending', 'pending'])
    c.write(b)
    await eventually(() => reader).toEqual({ state: 'resolved', value: true })
    c.drain(b)
    await eventually(() => writer).toEqual({ state: 'resolved', value: true })
  })

  test('one byte ends selects and plain waits alike', async () => {
    const [r, w] = pipe()
    const idle = pipe()[0]
    const waits = [readable(r), select([r], [], []), select([idle, r], [], []), select([r], [], [r]), readable(r)]
    c.write(w)
    const answer = { ...nothing, readable: [r] }
    expect(await Promise.all(waits as Promise<unknown>[])).toEqual([true, answer, answer, answer, true])
  })

  test('a select for exceptional conditions goes on when data arrives', async () => {
    const [a, b] = tcpPair()
    const exceptional = watched(select([], [], [a]))
    const reader = readable(a)
    c.write(b)
    expect(await reader).toBe(true)
    await turns()
    expect(exceptional.state).toBe('pending')
    c.sendOutOfBand(b)
    await eventually(() => exceptional).toEqual({ state: 'resolved', value: { ...nothing, exceptional: [a] } })
  })

  test('the timeout of one select leaves another as it is', async () => {
    const [r, w] = pipe()
    const patient = watched(select([r], [], []))
    expect(await select([r], [], [], 0.005)).toEqual(nothing)
    await turns()
    expect(patient.state).toBe('pending')
    c.write(w)
    await eventually(() => patient).toEqual({ state: 'resolved', value: { ...nothing, readable: [r] } })
  })
})

describe('without FD_SETSIZE', () => {
  test('descriptors above 1024 are waited for like any', async () => {
    const [r, w] = pipe()
    const high = own(c.dupAbove(r, 3000))
    expect(high).toBeGreaterThanOrEqual(3000)
    expect(await select([high], [], [], 0)).toEqual(nothing)
    const wait = select([high], [], [high], 5)
    c.write(w)
    expect(await wait).toEqual({ ...nothing, readable: [high] })
    expect(await readable(high, 5)).toBe(true)
  })

  test('more than 1024 descriptors are waited for at once', async () => {
    const pairs = Array.from({ length: 1100 }, pipe)
    const fds = pairs.map(([r]) => r)
    const wait = select(fds, [], fds, 10)
    const written = [3, 512, 1099].map((i) => pairs[i] as c.Pair)
    for (const [, w] of written) c.write(w)
    expect((await wait).readable).toEqual(written.map(([r]) => r))
    expect((await select(fds, [], fds, 0)).readable).toEqual(written.map(([r]) => r))
  })
})
