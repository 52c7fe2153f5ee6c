import fc from 'fast-check'
import { platform, READABLE, WRITABLE } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { polled, poller as create } from './helpers/watching.js'

const BOTH = READABLE | WRITABLE
const MODES = ['level', 'edge', 'oneshot'] as const
type Mode = (typeof MODES)[number]

/** What a poller must know of one descriptor. */
interface Registered {
  interest: number
  mode: Mode
  /** Edge: the directions in which something new has come. One-shot: whether it is armed. */
  due: number
}

const index = fc.nat(3)
const command = fc.oneof(
  fc.record({ add: index, interest: fc.nat(BOTH), mode: fc.constantFrom(...MODES) }),
  fc.record({ modify: index, interest: fc.nat(BOTH), mode: fc.constantFrom(...MODES) }),
  fc.record({ remove: index }),
  fc.record({ step: index, what: fc.constantFrom('data comes', 'it is read', 'it is filled', 'the peer reads') }),
  fc.record({ wait: fc.integer({ min: 1, max: 2 }) }),
)

function code(call: () => void): string | undefined {
  try {
    call()
  } catch (error) {
    return (error as { code: string }).code
  }
  return undefined
}

// epoll tells of an edge also when that has gone again and the other direction is ready, kqueue does not.
const news = ({ mode, due }: Registered, ready: number) =>
  mode === 'edge' && platform().backend === 'kqueue' ? (due & ready) !== 0 : due !== 0

/** One poller, four sockets, and a model of what each wait must report. */
function play(commands: Iterable<typeof command extends fc.Arbitrary<infer T> ? T : never>): void {
  const poller = create()
  const pairs = Array.from({ length: 4 }, () => c.socketpair())
  const model = new Map<number, Registered>()
  const edge = (fd: number, direction: number) => {
    const registered = model.get(fd)
    if (registered?.mode === 'edge' && registered.interest & direction) registered.due |= direction
  }
  try {
    for (const one of commands) {
      if ('add' in one) {
        const [fd] = pairs[one.add] as c.Pair
        expect(code(() => poller.add(fd, one.interest, one.mode))).toBe(model.has(fd) ? 'EEXIST' : undefined)
        if (!model.has(fd)) model.set(fd, { interest: one.interest, mode: one.mode, due: BOTH })
      } else if ('modify' in one) {
        const [fd] = pairs[one.modify] as c.Pair
        expect(code(() => poller.modify(fd, one.interest, one.mode))).toBe(model.has(fd) ? undefined : 'ENOENT')
        if (model.has(fd)) model.set(fd, { interest: one.interest, mode: one.mode, due: BOTH })
      } else if ('remove' in one) {
        const [fd] = pairs[one.remove] as c.Pair
        expect(code(() => poller.remove(fd))).toBe(model.delete(fd) ? undefined : 'ENOENT')
      } else if ('step' in one) {
        const [fd, peer] = pairs[one.step] as c.Pair
        if (one.what === 'data comes' && c.write(peer) !== null) edge(fd, READABLE)
        if (one.what === 'it is read') c.drain(fd)
        if (one.what === 'it is filled') c.fill(fd)
        if (one.what === 'the peer reads' && c.drain(peer) > 0) edge(fd, WRITABLE)
      } else {
        for (let i = 0; i < one.wait; i += 1) {
          const expected = new Map<number, number>()
          for (const [fd, registered] of model) {
            const ready = polled(fd, BOTH) & registered.interest
            if (ready !== 0 && (registered.mode === 'level' || news(registered, ready))) expected.set(fd, ready)
            // An edge whose state has gone again is over; a one-shot waits on.
            if (registered.mode === 'edge' || ready !== 0) registered.due = 0
          }
          const count = poller.wait(0)
          const events = new Map<number, number>()
          for (let at = 0; at < count; at += 1) {
            events.set(poller.events[2 * at] as number, poller.events[2 * at + 1] as number)
          }
          expect(events.size).toBe(count)
          expect(new Map([...events].sort())).toEqual(new Map([...expected].sort()))
        }
      }
    }
  } finally {
    poller.close()
    for (const fd of pairs.flat()) c.close(fd)
  }
}

test('any registrations, changed in any order: each wait reports what the model says', () => {
  fc.assert(fc.property(fc.array(command, { minLength: 10, maxLength: 60 }), play), {
    numRuns: 300,
    interruptAfterTimeLimit: 10_000,
    markInterruptAsFailure: false,
  })
})
