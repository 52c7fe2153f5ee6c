import { platform } from 'fdevent'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Call, trace, unusable } from './helpers/strace.js'

if (unusable !== undefined) console.warn(`\n*** NOT RUN: system calls are not counted, because ${unusable} ***\n`)

test.runIf(process.env.CI)('strace works where it has to', () => {
  expect(unusable).toBeUndefined()
})

interface Counted {
  own: { eventpoll: number; timerfd: number; eventfd: number }
  r: number
}

const of = (calls: Call[], name: string, fd?: number) =>
  calls.filter((call) => call.name === name && (fd === undefined || call.fd === fd)).length

describe.skipIf(unusable || platform().backend !== 'epoll')('a steady loop of one-shot waits with timeouts', () => {
  const N = 2000
  let counted: Awaited<ReturnType<typeof trace<Counted>>>
  beforeAll(async () => {
    counted = await trace('syscalls.mjs', ['steady', String(N)])
  }, 60_000)

  test('costs exactly one epoll_ctl for each wait', () => {
    const { calls, result } = counted
    const perWait = calls.filter(({ text }) => text.startsWith(`epoll_ctl(${result.own.eventpoll}, EPOLL_CTL_MOD, `))
    expect(of(calls, 'epoll_ctl', result.own.eventpoll)).toBeGreaterThanOrEqual(N)
    expect(of(calls, 'epoll_ctl', result.own.eventpoll)).toBeLessThanOrEqual(N + 10)
    expect(perWait.length).toBeGreaterThanOrEqual(N - 1)
  })

  test("costs at most one epoll_wait on the library's poller for each batch", () => {
    const { calls, result } = counted
    expect(of(calls, 'epoll_wait', result.own.eventpoll)).toBeGreaterThanOrEqual(N)
    expect(of(calls, 'epoll_wait', result.own.eventpoll)).toBeLessThanOrEqual(N * 1.05 + 20)
  })

  test.runIf(platform().driver === 'nested')(
    'goes through libuv far less often than once for each wait, and still does',
    () => {
      const trips = of(counted.calls, 'epoll_pwait')
      expect(trips).toBeLessThan(N / 4)
      // At most 64 batches in a row: others get their turn.
      expect(trips).toBeGreaterThanOrEqual(N / 70)
    },
  )

  test('sets no timer for each wait', () => {
    expect(of(counted.calls, 'timerfd_settime')).toBeLessThanOrEqual(5)
  })

  test('polls nothing', () => {
    // Node itself looks at its standard streams when it starts; the first wait of the program ends at its deadline.
    expect(of(counted.calls, 'poll') + of(counted.calls, 'ppoll')).toBeLessThanOrEqual(5)
  })
})

describe.skipIf(unusable || platform().backend !== 'epoll')('slow events, one at a time', () => {
  const N = 400
  test('the kernel is not asked again in vain: the number of epoll_waits is near the number of batches', async () => {
    const { calls, result } = await trace<Counted>('syscalls.mjs', ['slow', String(N)])
    expect(of(calls, 'epoll_wait', result.own.eventpoll)).toBeLessThanOrEqual(N * 1.2 + 40)
  }, 60_000)
})

interface Faulty {
  stuck?: true
  first: unknown
  later: unknown
  timeout: unknown
  waits: number
  timed: number
  r: number
}

/** Makes the call that `choose` finds in an undisturbed run fail in a second one. */
async function fail(mode: string, name: string, error: string, choose: (call: Call, result: Faulty) => boolean) {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const baseline = await trace<Faulty>('faults.mjs', [mode])
    const own = baseline.calls.filter((call) => call.name === name)
    const index = own.findLastIndex((call) => choose(call, baseline.result))
    expect(index, `${name} in the undisturbed run`).toBeGreaterThanOrEqual(0)
    const { calls, result } = await trace<Faulty>('faults.mjs', [mode], `${name}:error=${error}:when=${index + 1}`)
    const hit = calls.find(({ text }) => text.includes('(INJECTED)'))
    // The runs before and under fault need not be alike; then libuv's own call was hit.
    if (hit && choose(hit, result)) return result
  }
  throw new Error(`no run in which the ${name} chosen was the one that failed`)
}

const alive = { later: true, timeout: false, waits: 0, timed: 0 }

describe.skipIf(unusable || platform().backend !== 'epoll')('system calls that fail', { timeout: 120_000 }, () => {
  for (const error of ['ENOMEM', 'ENOSPC']) {
    test(`epoll_ctl ${error} when a descriptor is added: the wait rejects with it, and later waits work`, async () => {
      const added = (call: Call, { r }: Faulty) => call.text.includes(`EPOLL_CTL_ADD, ${r},`)
      // The last ADD of this descriptor in the undisturbed run of this mode is its only one.
      const result = await fail('ready', 'epoll_ctl', error, added)
      expect(result).toMatchObject({ first: `${error} epoll_ctl`, ...alive })
    })
  }

  test('epoll_create1 EMFILE: the first wait rejects with it, and the next one works', async () => {
    const result = await fail('one', 'epoll_create1', 'EMFILE', () => true)
    expect(result).toMatchObject({ first: 'EMFILE epoll_create1', ...alive })
  })

  test('epoll_wait EINTR now and then is not noticed', async () => {
    const { result, calls } = await trace<Faulty>('faults.mjs', ['ready'], 'epoll_wait:error=EINTR:when=1+2')
    expect(calls.some(({ text }) => text.includes('(INJECTED)'))).toBe(true)
    expect(result).toMatchObject({ first: true, ...alive })
  })

  test('epoll_wait ENOMEM: the pending wait rejects with it, and later waits work', async () => {
    const { result } = await trace<Faulty>('faults.mjs', ['ready'], 'epoll_wait:error=ENOMEM:when=1')
    expect(result).toMatchObject({ first: 'ENOMEM epoll_wait', ...alive })
  })

  test('timerfd_settime EBADF when a wait starts: it rejects with that, and later waits time out', async () => {
    const { result } = await trace<Faulty>('faults.mjs', ['one'], 'timerfd_settime:error=EBADF:when=1')
    expect(result).toMatchObject({ first: 'EBADF timerfd_settime', ...alive })
  })

  test('timerfd_settime EBADF at a deadline: the other waits with deadlines reject, and later ones time out', async () => {
    const { result } = await trace<Faulty>('faults.mjs', ['two deadlines'], 'timerfd_settime:error=EBADF:when=2')
    expect(result.stuck).toBeUndefined()
    expect(result).toMatchObject({ first: [false, 'EBADF timerfd_settime'], ...alive })
  })
})
