import { platform } from 'fdevent'
import { expect, test } from 'vitest'
import { report } from './helpers/run.js'

const epoll = platform().backend === 'epoll'
const nested = platform().driver === 'nested'

test.runIf(epoll)("the library's own descriptors are refused with EINVAL, and later waits work", async () => {
  const { own, later } = await report<{ own: Record<string, unknown[]>; later: boolean }>('internals.mjs', ['own'])
  expect(Object.keys(own)).toEqual(expect.arrayContaining(['eventpoll', 'timerfd']))
  for (const answers of Object.values(own)) {
    expect(answers.slice(0, 2)).toEqual(['EINVAL', 'EINVAL'])
    // select looks at the present state first, and that is harmless.
    expect([true, 'EINVAL']).toContain(answers[2])
  }
  expect(later).toBe(true)
})

// By the thread driver libuv's poller and the library's have nothing to do with each other.
test.runIf(nested)("libuv's own poller is refused where it would make a cycle, and later waits work", async () => {
  const { answers, later } = await report<{ answers: unknown[]; later: boolean }>('internals.mjs', ['loop'])
  for (const answer of answers) expect([true, false, 'EINVAL', 'ELOOP']).toContain(answer)
  expect(answers).toContainEqual(expect.stringMatching(/EINVAL|ELOOP/))
  expect(later).toBe(true)
})

test("the program's very first wait may be for libuv's own poller: the process lives", async () => {
  const { answers, later } = await report<{ answers: unknown[]; later: boolean }>('internals.mjs', ['loop-first'])
  expect(answers.length).toBeGreaterThan(0)
  expect(later).toBe(true)
})

test("closing() of the library's own descriptors is a no-op", async () => {
  const { later } = await report<{ later: boolean }>('internals.mjs', ['closing'])
  expect(later).toBe(true)
})

test.runIf(epoll)(
  'importing the library opens no descriptor, and no child inherits what the first wait opens',
  async () => {
    const seen = await report<Record<string, unknown>>('internals.mjs', ['import'])
    expect(seen.afterImport).toEqual(seen.before)
    expect(seen.opened).toEqual(expect.arrayContaining(['eventpoll', 'timerfd']))
    expect(seen.inherited).toEqual([])
  },
)

// By the thread driver nobody hears of it: the thread sleeps on the poller itself, not on its number.
test.runIf(epoll && nested)(
  "a program that closes the library's own poller under a crowd of waits gets EBADF, and lives",
  async () => {
    const { first, answers } = await report<{ first: unknown; answers: unknown[] }>('internals.mjs', ['close-own'])
    expect(first).toBe('EBADF')
    expect(answers).toEqual(['EBADF'])
  },
)

test.runIf(epoll)(
  "a listener that closes the library's own poller costs the others of its batch nothing, and the process lives",
  async () => {
    const { told } = await report<{ told: number }>('internals.mjs', ['close-own-in-turn'])
    expect(told).toBe(40)
  },
)
