import { openSync } from 'node:fs'
import { closing, readable, select, statistics, writable } from 'fdevent'
import { afterAll, expect, test } from 'vitest'
import * as c from './helpers/libc.js'

// A random program that does everything one must not do to descriptors, beside a model of what its waits may answer.
const seed = Number(process.env.FDEVENT_SEED ?? Date.now() % 2 ** 31)
const OPERATIONS = 8000
const FIRST = 700
const NUMBERS = 24

/** mulberry32 */
function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** An open file. Several numbers may name it, and hidden duplicates keep it alive. */
interface Thing {
  kind: 'pipe' | 'socket' | 'file'
  peer: number
  duplicate: number
  /** It was ready in this direction at some time: only then may a wait on it say so. */
  wasReadable: boolean
  wasWritable: boolean
}

interface Place {
  thing: Thing | undefined
  /** Counts what happened to the number: closes, replacements, announcements. */
  changes: number
}

interface Pending {
  what: string
  settled: number
}

const next = random(seed)
const integer = (below: number): number => Math.floor(next() * below)
const chance = (probability: number): boolean => next() < probability
const places: Place[] = Array.from({ length: NUMBERS }, () => ({ thing: undefined, changes: 0 }))
const things = new Set<Thing>()
const pending: Pending[] = []
const controllers: AbortController[] = []
const complaints: string[] = []
const operations = new Map<string, number>()
const outcomes = new Map<string, number>()
const count = (map: Map<string, number>, name: string) => map.set(name, (map.get(name) ?? 0) + 1)

afterAll(() => {
  for (const [i, place] of places.entries()) if (place.thing) c.close(FIRST + i)
  for (const { peer, duplicate } of things) for (const fd of [peer, duplicate]) if (fd >= 0) c.close(fd)
})

/** EPIPE and ECONNRESET: nobody holds the other end any more. */
function forgiving(call: () => unknown): void {
  try {
    call()
  } catch (error) {
    expect(['EPIPE', 'ECONNRESET']).toContain((error as { code?: unknown }).code)
  }
}

function make(): { fd: number; thing: Thing } {
  const kind = chance(0.45) ? 'pipe' : chance(0.85) ? 'socket' : 'file'
  let fd: number
  let peer = -1
  if (kind === 'file') fd = openSync(import.meta.filename, 'r')
  else [fd, peer] = kind === 'pipe' ? c.pipe() : c.socketpair()
  const thing: Thing = { kind, peer, duplicate: -1, wasReadable: kind === 'file', wasWritable: kind !== 'pipe' }
  if (kind === 'socket' && chance(0.5)) {
    c.fill(fd)
    thing.wasWritable = false
  }
  if (chance(0.3)) thing.duplicate = c.dup(fd)
  things.add(thing)
  return { fd, thing }
}

/** Puts a new object on the number, as open(2) or dup2(2) would. */
function put(i: number): void {
  const place = places[i] as Place
  const { fd, thing } = make()
  c.dup2(fd, FIRST + i)
  c.close(fd)
  place.thing = thing
  place.changes += 1
}

function wait(i: number): void {
  const place = places[i] as Place
  const { thing, changes } = place
  const direction = chance(0.6) ? 'read' : 'write'
  const timeout = chance(0.2) ? null : chance(0.2) ? 0 : next() * 0.03
  const controller = chance(0.4) ? new AbortController() : undefined
  const entry: Pending = { what: `${direction} of ${FIRST + i}`, settled: 0 }
  const complain = (text: string) => complaints.push(`${entry.what}: ${text}`)
  pending.push(entry)
  if (controller) controllers.push(controller)
  const start = performance.now()
  const call = direction === 'read' ? readable : writable
  call(FIRST + i, timeout, { signal: controller?.signal }).then(
    (ready) => {
      entry.settled += 1
      count(outcomes, String(ready))
      const was = direction === 'read' ? thing?.wasReadable : thing?.wasWritable
      if (ready && !was) complain('ready, though its object never was')
      if (!ready && timeout === null) complain('timed out without a timeout')
      if (!ready && performance.now() - start < (timeout ?? 0) * 1000) complain('early')
      if (!ready && timeout !== 0 && place.thing !== thing) complain('timed out on a number that names another object')
    },
    (error: { code: string }) => {
      entry.settled += 1
      count(outcomes, error.code)
      if (error.code === 'ABORT_ERR') {
        if (!controller?.signal.aborted) complain('aborted by nobody')
      } else if (error.code !== 'EBADF') complain(`failed with ${error.code}`)
      else if (thing && place.changes === changes) complain('EBADF, though nothing happened to the number')
    },
  )
}

function selectSome(): void {
  const indices = [...new Set(Array.from({ length: 1 + integer(4) }, () => integer(NUMBERS)))]
  const before = indices.map((i) => ({ ...(places[i] as Place) }))
  const timeout = chance(0.1) ? null : next() * 0.03
  const controller = chance(0.4) ? new AbortController() : undefined
  const numbers = indices.map((i) => FIRST + i)
  const entry: Pending = { what: `select of ${numbers}`, settled: 0 }
  const complain = (text: string) => complaints.push(`${entry.what}: ${text}`)
  pending.push(entry)
  if (controller) controllers.push(controller)
  const same = (key: 'thing' | 'changes') => indices.every((i, n) => places[i]?.[key] === before[n]?.[key])
  select(numbers, numbers, [], timeout, { signal: controller?.signal }).then(
    ({ readable, writable, exceptional }) => {
      entry.settled += 1
      const found = readable.length + writable.length
      count(outcomes, found > 0 ? 'selected' : 'select timed out')
      if (exceptional.length > 0) complain('exceptional, though nothing here is')
      if (found === 0 && timeout === null) complain('empty without a timeout')
      if (found === 0 && !same('thing')) complain('timed out on a number that names another object')
      // A number may have changed hands: select looks at all of them when one is ready.
      const was = (fd: number, key: 'wasReadable' | 'wasWritable') =>
        before[numbers.indexOf(fd)]?.thing?.[key] || places[fd - FIRST]?.thing?.[key]
      if (!readable.every((fd) => was(fd, 'wasReadable'))) complain('readable, though its object never was')
      if (!writable.every((fd) => was(fd, 'wasWritable'))) complain('writable, though its object never was')
    },
    (error: { code: string }) => {
      entry.settled += 1
      count(outcomes, `select ${error.code}`)
      if (error.code === 'ABORT_ERR') {
        if (!controller?.signal.aborted) complain('aborted by nobody')
      } else if (error.code !== 'EBADF') complain(`failed with ${error.code}`)
      else if (before.every(({ thing }) => thing) && same('changes')) complain('EBADF, though nothing happened')
    },
  )
}

const actions: Record<string, { weight: number; run(i: number, place: Place, fd: number): void }> = {
  wait: { weight: 40, run: wait },
  select: { weight: 8, run: selectSome },
  replace: { weight: 8, run: put },
  reopen: { weight: 10, run: (i, place) => void (place.thing ?? put(i)) },
  'announce and close': {
    weight: 6,
    run(_, place, fd) {
      closing(fd)
      place.changes += 1
      if (place.thing) c.close(fd)
      place.thing = undefined
    },
  },
  announce: {
    weight: 3,
    run(_, place, fd) {
      closing(fd)
      place.changes += 1
    },
  },
  close: {
    weight: 8,
    run(_, place, fd) {
      if (!place.thing) return
      c.close(fd)
      place.thing = undefined
      place.changes += 1
    },
  },
  'bring back': {
    weight: 4,
    run(_, place, fd) {
      const kept = [...things].filter(({ duplicate }) => duplicate >= 0)
      const thing = kept[integer(kept.length)]
      if (!thing) return
      // Unannounced, the kernel itself cannot tell it from the registration that the object left behind there.
      closing(fd)
      c.dup2(thing.duplicate, fd)
      place.thing = thing
      place.changes += 1
    },
  },
  write: {
    weight: 10,
    run() {
      const open = [...things].filter(({ peer, kind }) => peer >= 0 && kind !== 'file')
      const thing = open[integer(open.length)]
      if (!thing) return
      thing.wasReadable = true
      forgiving(() => c.write(thing.peer))
    },
  },
  drain: {
    weight: 4,
    run(_, place, fd) {
      if (place.thing && place.thing.kind !== 'file') forgiving(() => c.drain(fd))
    },
  },
  'hang up': {
    weight: 4,
    run() {
      const open = [...things].filter(({ peer }) => peer >= 0)
      const thing = open[integer(open.length)]
      if (!thing) return
      c.close(thing.peer)
      thing.peer = -1
      thing.wasReadable = true
      // A hang-up alone is not writable.
      if (thing.kind === 'socket') thing.wasWritable = true
    },
  },
  abort: { weight: 8, run: () => controllers.splice(integer(controllers.length), 1)[0]?.abort() },
}

const wheel = Object.entries(actions).flatMap(([name, { weight }]) => Array<string>(weight).fill(name))

/** What no number names any more goes, so that the descriptors do not run out. */
function sweep(): void {
  const named = new Set(places.map(({ thing }) => thing))
  for (const thing of things) {
    if (named.has(thing) || things.size < 100 || chance(0.5)) continue
    for (const fd of [thing.peer, thing.duplicate]) if (fd >= 0) c.close(fd)
    things.delete(thing)
  }
}

test(
  `a hostile random program settles every wait once, rightly (FDEVENT_SEED=${seed})`,
  {
    timeout: 60_000,
  },
  async () => {
    for (let done = 0; done < OPERATIONS;) {
      for (let burst = 1 + integer(20); burst > 0; burst -= 1, done += 1) {
        const name = wheel[integer(wheel.length)] as string
        const i = integer(NUMBERS)
        count(operations, name)
        actions[name]?.run(i, places[i] as Place, FIRST + i)
      }
      if (chance(0.1)) sweep()
      await new Promise<void>((resolve) => (chance(0.2) ? setTimeout(resolve, 2) : setImmediate(resolve)))
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    for (let i = 0; i < NUMBERS; i += 1) {
      closing(FIRST + i)
      ;(places[i] as Place).changes += 1
    }
    await new Promise((resolve) => setTimeout(resolve, 50))

    const told = `seed ${seed}, ${JSON.stringify([...operations, ...outcomes])}`
    expect(complaints, told).toEqual([])
    expect(
      pending.filter(({ settled }) => settled !== 1),
      told,
    ).toEqual([])
    expect(statistics(), told).toMatchObject({ waits: 0, timed: 0, registered: 0, armed: 0 })
    // The program really did what it is for.
    expect(outcomes.get('true'), told).toBeGreaterThan(100)
    expect(outcomes.get('false'), told).toBeGreaterThan(20)
    expect(outcomes.get('EBADF'), told).toBeGreaterThan(100)
    expect(outcomes.get('ABORT_ERR'), told).toBeGreaterThan(0)

    const [r, w] = c.pipe()
    c.write(w)
    expect(await readable(r, 10)).toBe(true)
    for (const fd of [r, w]) c.close(fd)
  },
)
