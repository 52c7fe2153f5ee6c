import fc from 'fast-check'
import { closing, READABLE, readable, select, statistics, type Watcher, writable, WRITABLE } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, pipe, socketpair, turns, watched } from './helpers/owned.js'
import { listening, polled, watching } from './helpers/watching.js'

const BOTH = READABLE | WRITABLE

/** Somebody who is told of one descriptor. After each step of the program below, `check` compares with what poll(2) says. */
interface Participant {
  /** `edges`: directions in which something new has come in this step. */
  check(state: number, edges: number): void
  end(): void
}

function levelWatcher(fd: number, interest: number): Participant {
  const { told, watcher } = listening(fd, interest)
  return {
    check(state) {
      const expected = state & watcher.interest
      expect(new Set(told), `level ${interest}`).toEqual(new Set(expected === 0 ? [] : [expected]))
      told.length = 0
    },
    end: () => watcher.close(),
  }
}

function edgeWatcher(fd: number, interest: number): Participant {
  const { told, watcher } = listening(fd, interest, { mode: 'edge' })
  // The state in which it begins is its first edge.
  let first = true
  return {
    check(state, edges) {
      const expected = state & interest
      const due = expected !== 0 && (first || (edges & interest) !== 0)
      expect(told, `edge ${interest}`).toEqual(due ? [expected] : [])
      told.length = 0
      first = false
    },
    end: () => watcher.close(),
  }
}

function levelIterator(fd: number, interest: number): Participant {
  const watcher = watching(fd, interest)
  const next = watched(watcher[Symbol.asyncIterator]().next())
  let answered = false
  return {
    check(state) {
      answered ||= (state & interest) !== 0
      expect(next.state, `iterator ${interest}`).toBe(answered ? 'resolved' : 'pending')
    },
    end: () => watcher.close(),
  }
}

function once(begin: (signal: AbortSignal) => Promise<unknown>, interest: number): Participant {
  const controller = new AbortController()
  const wait = watched(begin(controller.signal))
  let answered = false
  return {
    check(state) {
      answered ||= (state & interest) !== 0
      expect(wait.state, `wait for ${interest}`).toBe(answered ? 'resolved' : 'pending')
    },
    end: () => controller.abort(),
  }
}

const KINDS: Record<string, (fd: number) => Participant> = {
  'level READABLE': (fd) => levelWatcher(fd, READABLE),
  'level WRITABLE': (fd) => levelWatcher(fd, WRITABLE),
  'level both': (fd) => levelWatcher(fd, BOTH),
  'edge READABLE': (fd) => edgeWatcher(fd, READABLE),
  'edge WRITABLE': (fd) => edgeWatcher(fd, WRITABLE),
  'edge both': (fd) => edgeWatcher(fd, BOTH),
  'iterator READABLE': (fd) => levelIterator(fd, READABLE),
  'iterator WRITABLE': (fd) => levelIterator(fd, WRITABLE),
  readable: (fd) => once((signal) => readable(fd, 60, { signal }), READABLE),
  writable: (fd) => once((signal) => writable(fd, { signal }), WRITABLE),
  'select for reading': (fd) => once((signal) => select([fd], [], [fd], 60, { signal }), READABLE),
  'select for both': (fd) => once((signal) => select([fd], [fd], [], null, { signal }), BOTH),
}

/** A socket, and what happens to it: each step says in which directions something new has come. */
function world() {
  const [fd, peer] = socketpair()
  return {
    fd,
    steps: {
      'data comes': () => (c.write(peer) === null ? 0 : READABLE),
      'it is read': () => {
        c.drain(fd)
        return 0
      },
      'it is filled': () => {
        c.fill(fd)
        return 0
      },
      'the peer reads': () => (c.drain(peer) > 0 ? WRITABLE : 0),
      nothing: () => 0,
    },
  }
}
type Step = keyof ReturnType<typeof world>['steps']
const STEPS: Step[] = ['data comes', 'it is read', 'it is filled', 'the peer reads', 'nothing']

async function settle(fd: number, participants: Iterable<Participant>, edges: number): Promise<void> {
  await turns(2)
  const state = polled(fd, BOTH)
  for (const participant of participants) participant.check(state, edges)
}

test('any participants, in any order, in any number: each is told what it would be told alone', async () => {
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.record({ join: fc.constantFrom(...Object.keys(KINDS)) }) },
    { weight: 5, arbitrary: fc.record({ step: fc.constantFrom(...STEPS) }) },
    { weight: 2, arbitrary: fc.record({ leave: fc.nat(20) }) },
  )
  const program = fc.asyncProperty(fc.array(command, { minLength: 3, maxLength: 25 }), async (commands) => {
    const { fd, steps } = world()
    const present: Participant[] = []
    try {
      for (const one of commands) {
        let edges = 0
        if ('join' in one) present.push((KINDS[one.join] as (fd: number) => Participant)(fd))
        else if ('step' in one) edges = steps[one.step]()
        else present.splice(one.leave % (present.length + 1), 1)[0]?.end()
        await settle(fd, present, edges)
      }
    } finally {
      for (const participant of present) participant.end()
    }
    expect(statistics()).toMatchObject({ waits: 0, watches: 0, armed: 0 })
  })
  await fc.assert(program, { numRuns: 40, interruptAfterTimeLimit: 12_000, markInterruptAsFailure: false })
})

for (const [first, makeFirst] of Object.entries(KINDS)) {
  test(`${first}, with each of the others before and after it on the same descriptor`, async () => {
    for (const makeSecond of Object.values(KINDS)) {
      const { fd, steps } = world()
      const participants = [makeSecond(fd), makeFirst(fd), makeSecond(fd)]
      await settle(fd, participants, 0)
      for (const step of ['it is filled', 'data comes', 'the peer reads', 'it is read', 'data comes'] as const) {
        await settle(fd, participants, steps[step]())
      }
      for (const participant of participants) participant.end()
    }
  })
}

test('twenty edge watchers on one descriptor are told once each for each edge', async () => {
  const [r, w] = pipe()
  const all = Array.from({ length: 20 }, () => listening(r, READABLE, { mode: 'edge' }))
  for (let i = 1; i <= 5; i += 1) {
    c.write(w)
    await turns()
    expect(all.map(({ told }) => told)).toEqual(Array(20).fill(Array(i).fill(READABLE)))
  }
})

test('closing some of twenty edge watchers leaves the others, and tells them nothing', async () => {
  const [r, w] = pipe()
  const all = Array.from({ length: 20 }, () => listening(r, READABLE, { mode: 'edge' }))
  c.write(w)
  await turns()
  const closed = [0, 19, 7, 8, 9, 1]
  for (const i of closed) {
    all[i]?.watcher.close()
    await turns(1)
  }
  expect(all.map(({ told }) => told.length)).toEqual(Array(20).fill(1))
  c.write(w)
  await turns()
  expect(all.map(({ told }) => told.length)).toEqual(all.map((_, i) => (closed.includes(i) ? 1 : 2)))
})

test('a new edge watcher shows the present state to itself alone', async () => {
  const [r, w] = pipe()
  const before = Array.from({ length: 3 }, () => listening(r, READABLE, { mode: 'edge' }))
  c.write(w)
  await turns()
  const late = listening(r, READABLE, { mode: 'edge' })
  await turns()
  expect(late.told).toEqual([READABLE])
  expect(before.map(({ told }) => told.length)).toEqual([1, 1, 1])
})

test('an edge watcher that replaces its interest tells the others nothing', async () => {
  const [a, b] = socketpair()
  const others = Array.from({ length: 3 }, () => listening(a, BOTH, { mode: 'edge' }))
  const { watcher } = listening(a, READABLE, { mode: 'edge' })
  c.write(b)
  await turns()
  const counts = others.map(({ told }) => told.length)
  for (const interest of [WRITABLE, 0, BOTH, READABLE]) {
    watcher.interest = interest
    await turns(1)
  }
  expect(others.map(({ told }) => told.length)).toEqual(counts)
})

test('waits that begin, time out and are cancelled tell an edge watcher nothing', async () => {
  const [a, b] = socketpair()
  c.fill(a)
  const edge = listening(a, BOTH, { mode: 'edge' })
  c.write(b)
  await turns()
  expect(edge.told).toEqual([READABLE])
  for (let i = 0; i < 20; i += 1) {
    const controller = new AbortController()
    const cancelled = readable(a, { signal: controller.signal }).catch(() => {})
    const writer = writable(a, 0.002)
    expect(await readable(a, 10)).toBe(true)
    controller.abort()
    await Promise.all([cancelled, writer])
    await select([a], [a], [a], 0)
  }
  expect(edge.told).toEqual([READABLE])
})

test('a level watcher that keeps busy does not delay the timeout of a wait on the same descriptor', async () => {
  const [a, b] = socketpair()
  c.fill(a)
  c.write(b)
  const { told } = listening(a, READABLE)
  expect(await writable(a, 0.02)).toBe(false)
  expect(told.length).toBeGreaterThan(0)
})

test('a level watcher that drains takes nothing from edge watchers and waits told in the same batch', async () => {
  const [r, w] = pipe()
  const drain = listening(r, READABLE, {}, () => c.drain(r))
  const edge = listening(r, READABLE, { mode: 'edge' })
  const wait = watched(readable(r, 10))
  c.write(w)
  await turns()
  expect(drain.told).toEqual([READABLE])
  expect(edge.told).toEqual([READABLE])
  expect(wait.state).toBe('resolved')
})

test('a hundred watchers come and go on one descriptor, and the one that stays is served throughout', async () => {
  const [r, w] = pipe()
  const steady = listening(r, READABLE, {}, () => c.drain(r))
  const pool: Watcher[] = []
  for (let i = 0; i < 100; i += 1) {
    pool.push(watching(r, i % 3, () => {}, { mode: i % 2 ? 'edge' : 'level' }))
    if (i % 3 === 2) pool.splice(i % pool.length, 1)[0]?.close()
    const count = steady.told.length
    c.write(w)
    await eventually(() => steady.told.length).toBeGreaterThan(count)
  }
})

test('closing() ends everybody at once: watchers of both modes, waits and selects', async () => {
  const [r, w] = pipe()
  const watchers = [listening(r, READABLE).watcher, listening(r, READABLE, { mode: 'edge' }).watcher]
  const waits = [readable(r), readable(r, 10), select([r], [], [])].map((wait) => wait.catch((error) => error.code))
  closing(r)
  expect(watchers.map(({ closed }) => closed)).toEqual([true, true])
  expect(await Promise.all(waits)).toEqual(['EBADF', 'EBADF', 'EBADF'])
  expect(statistics()).toMatchObject({ waits: 0, watches: 0, armed: 0 })
  c.write(w)
})
