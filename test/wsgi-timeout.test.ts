import { statistics } from 'fdevent'
import type { Application, Environ } from 'fdevent/wsgi'
import { describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, pipe } from './helpers/owned.js'
import { ask, GET, Raw, serve, sleep } from './helpers/wsgi.js'

const KEYS = ['awsgi', 'x-wsgiorg.async', 'x-wsgiorg.fdevent'] as const

/** Runs `steps` in a request that must succeed. */
async function running(steps: (environ: Environ) => Generator<string, void, any>): Promise<void> {
  const served = await serve(function* (environ, startResponse) {
    yield* steps(environ)
    startResponse('200 OK', [])
  })
  expect((await ask(served)).status, served.log.join('')).toBe(200)
}

test.each(KEYS)('spec 8: after a wait of %s the variables say whether the time passed', async (key) => {
  const [r, w] = pipe()
  const told = (environ: Environ) => [
    environ['awsgi.timeout'],
    environ['x-wsgiorg.async.timeout'],
    environ['x-wsgiorg.fdevent.timeout'].expired,
  ]
  await running(function* (environ) {
    expect(told(environ)).toEqual([false, false, false])
    yield environ[`${key}.readable`](r, 0.01)
    expect(told(environ)).toEqual([true, true, true])
    yield environ[`${key}.writable`](w, 1)
    expect(told(environ)).toEqual([false, false, false])
  })
})

test("spec 8: v3's object is changed in place, so that a copy of environ sees it; the values of v1 and v2 are not", async () => {
  const [r] = pipe()
  const application: Application = function* (environ, startResponse) {
    yield environ['x-wsgiorg.fdevent.readable'](r, 0.01)
    startResponse('200 OK', [])
    yield JSON.stringify([environ['x-wsgiorg.fdevent.timeout'].expired, environ['awsgi.timeout']])
  }
  const served = await serve((environ, startResponse) => application({ ...environ }, startResponse))
  expect((await ask(served)).body).toBe('[true,false]')
})

test('spec 8: fdevent.select sets them too', async () => {
  const [r] = pipe()
  await running(function* (environ) {
    yield environ['fdevent.select']([r], [], [], 0.01)
    expect(environ['x-wsgiorg.fdevent.timeout'].expired).toBe(true)
  })
})

test("spec 9: v3's object is truthy, and false in every other respect", async () => {
  const [r] = pipe()
  await running(function* (environ) {
    const timeout = environ['x-wsgiorg.fdevent.timeout']
    expect([Boolean(timeout), timeout.expired, timeout.valueOf(), timeout.length, Array.from(timeout)]).toEqual([
      true,
      false,
      false,
      0,
      [],
    ])
    yield environ['x-wsgiorg.fdevent.readable'](r, 0)
    expect([timeout.expired, timeout.valueOf(), timeout.length, timeout[0], Array.from(timeout)]).toEqual([
      true,
      true,
      1,
      true,
      [true],
    ])
    expect(environ['x-wsgiorg.fdevent.timeout']).toBe(timeout)
    expect(`${timeout as unknown as string} ${JSON.stringify(timeout)}`).toBe('true true')
  })
})

test('spec 10: never true before the full time has passed', async () => {
  const [r] = pipe()
  await running(function* (environ) {
    for (let i = 0; i < 200; i += 1) {
      const from = process.hrtime.bigint()
      yield environ['x-wsgiorg.fdevent.readable'](r, 0.0021)
      expect(Number(process.hrtime.bigint() - from)).toBeGreaterThanOrEqual(2_100_000)
    }
  })
})

test('spec 10: readiness wins when both hold at the deadline', async () => {
  const [r, w] = pipe()
  await running(function* (environ) {
    const suspension = environ['x-wsgiorg.fdevent.readable'](r, 0.02)
    // Both come to pass while the loop stands still.
    setImmediate(() => {
      const until = performance.now() + 40
      while (performance.now() < until);
      c.write(w)
    })
    expect(yield suspension).toBe(true)
    expect(environ['x-wsgiorg.fdevent.timeout'].expired).toBe(false)
  })
})

describe('x-wsgiorg.suspend', () => {
  test('spec 24: suspended until resume() is called, which returns true once', async () => {
    const returned: boolean[] = []
    await running(function* (environ) {
      const resume = environ['x-wsgiorg.suspend']()
      setTimeout(() => returned.push(resume(), resume()), 20)
      expect(yield '').toBe(true)
      expect(environ['x-wsgiorg.suspend_status']).toBe(false)
      returned.push(resume())
    })
    expect(returned).toEqual([true, false, false])
  })

  test('spec 24: suspended until so many milliseconds have passed', async () => {
    await running(function* (environ) {
      const from = performance.now()
      const resume = environ['x-wsgiorg.suspend'](30)
      expect(yield '').toBe(false)
      expect(performance.now() - from).toBeGreaterThanOrEqual(30)
      expect(environ['x-wsgiorg.suspend_status']).toBe(true)
      expect(resume()).toBe(false)
      environ['x-wsgiorg.suspend'](1000)
    })
  })

  test('spec 24: resume() between suspend and the yield is not lost', async () => {
    await running(function* (environ) {
      const resume = environ['x-wsgiorg.suspend']()
      expect(resume()).toBe(false)
      expect(yield '').toBe(true)
      expect(environ['x-wsgiorg.suspend_status']).toBe(false)
    })
  })

  test('spec 24: resume() of an earlier suspension does nothing to a later one', async () => {
    await running(function* (environ) {
      const first = environ['x-wsgiorg.suspend'](10)
      yield ''
      environ['x-wsgiorg.suspend'](40)
      setTimeout(() => expect(first()).toBe(false), 5)
      expect(yield '').toBe(false)
    })
  })

  test('spec 24: resume() after the client has gone returns false', async () => {
    let resume: (() => boolean) | undefined
    const served = await serve(function* (environ, startResponse) {
      resume = environ['x-wsgiorg.suspend']()
      yield ''
      startResponse('200 OK', [])
    })
    const client = await Raw.connect(served)
    client.send(GET)
    await eventually(() => statistics().waits).toBe(1)
    client.destroy()
    await eventually(() => statistics().waits).toBe(0)
    expect(resume?.()).toBe(false)
  })

  test('spec 24: a callback of anything may resume it', async () => {
    const { lookup } = await import('node:dns')
    await running(function* (environ) {
      let address: string | undefined
      const resume = environ['x-wsgiorg.suspend'](10_000)
      lookup('localhost', (_error, found) => {
        address = found
        resume()
      })
      yield ''
      expect(address).toMatch(/^(127\.0\.0\.1|::1)$/)
    })
  })

  test('spec 24: a wrong time throws at the call', async () => {
    await running(function* (environ) {
      expect(() => environ['x-wsgiorg.suspend'](-1)).toThrow(RangeError)
      expect(() => environ['x-wsgiorg.suspend']('1' as never)).toThrow(TypeError)
      yield ''
    })
  })
})

test('spec 23: two requests wait on one descriptor, and both are resumed', async () => {
  const [r, w] = pipe()
  const served = await serve(function* (environ, startResponse) {
    const ready = yield environ['x-wsgiorg.fdevent.readable'](r, 10)
    startResponse('200 OK', [])
    yield String(ready)
  })
  const both = Promise.all([ask(served), ask(served)])
  await eventually(() => statistics().waits).toBe(2)
  c.write(w)
  expect((await both).map(({ body }) => body)).toEqual(['true', 'true'])
})

test('spec 23: one request waits for reading and one for writing on one descriptor', async () => {
  const { socketpair } = await import('./helpers/owned.js')
  const [a, b] = socketpair()
  c.fill(a)
  const served = await serve(function* (environ, startResponse) {
    const call = environ.PATH_INFO === '/read' ? 'readable' : 'writable'
    const ready = yield environ[`x-wsgiorg.fdevent.${call}`](a, 10)
    startResponse('200 OK', [])
    yield `${call} ${ready}`
  })
  const read = ask(served, '/read')
  const write = ask(served, '/write')
  await eventually(() => statistics().waits).toBe(2)
  c.drain(b)
  expect((await write).body).toBe('writable true')
  await sleep(20)
  expect(statistics().waits).toBe(1)
  c.write(b)
  expect((await read).body).toBe('readable true')
})
