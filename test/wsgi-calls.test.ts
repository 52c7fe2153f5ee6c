import { openSync } from 'node:fs'
import http from 'node:http'
import { statistics } from 'fdevent'
import type { Application, Environ } from 'fdevent/wsgi'
import { describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, own, pipe, socketpair, tcpPair } from './helpers/owned.js'
import { ask, serve } from './helpers/wsgi.js'

const READABLE = ['awsgi.readable', 'x-wsgiorg.async.readable', 'x-wsgiorg.fdevent.readable'] as const
const WRITABLE = ['awsgi.writable', 'x-wsgiorg.async.writable', 'x-wsgiorg.fdevent.writable'] as const

/** An application that does `steps`, then answers with what they returned. */
function answering(steps: (environ: Environ) => Generator<string, unknown, any>): Application {
  return function* (environ, startResponse) {
    const value = yield* steps(environ)
    startResponse('200 OK', [])
    yield JSON.stringify(value)
  }
}

async function outcome(steps: (environ: Environ) => Generator<string, unknown, any>): Promise<unknown> {
  const { status, body } = await ask(await serve(answering(steps)))
  expect(status).toBe(200)
  return JSON.parse(body)
}

/** A number that no connection of the test gets. */
function closedHigh(): number {
  const [r] = pipe()
  const fd = c.dupAbove(r, 900)
  c.close(fd)
  return fd
}

describe.each(READABLE)('%s', (key) => {
  test('spec 1: takes a descriptor and seconds by position', async () => {
    const [r, w] = pipe()
    expect(
      await outcome(function* (environ) {
        return yield environ[key](r, 0.02)
      }),
    ).toBe(false)
    c.write(w)
    expect(
      await outcome(function* (environ) {
        return yield environ[key](r, 5)
      }),
    ).toBe(true)
  })

  test('spec 1: takes an object with fileno()', async () => {
    const [r, w] = pipe()
    c.write(w)
    expect(
      await outcome(function* (environ) {
        return yield environ[key]({ fileno: () => r })
      }),
    ).toBe(true)
  })

  test('spec 1: takes the input objects, which have no fileno', async () => {
    const result = await outcome(function* (environ) {
      expect('fileno' in environ['awsgi.input']).toBe(false)
      return [
        yield environ[key](environ['awsgi.input'], 1),
        yield environ[key](environ['x-wsgiorg.async.input'], 1),
        yield environ[key](environ['wsgi.input'], 1),
      ]
    })
    expect(result).toEqual([true, true, true])
  })

  test('spec 1: 0 asks for the present state, and null waits', async () => {
    const [r, w] = pipe()
    expect(
      await outcome(function* (environ) {
        return yield environ[key](r, 0)
      }),
    ).toBe(false)
    setTimeout(() => c.write(w), 30)
    expect(
      await outcome(function* (environ) {
        return yield environ[key](r, null)
      }),
    ).toBe(true)
    expect(
      await outcome(function* (environ) {
        return yield environ[key](r, 0)
      }),
    ).toBe(true)
  })
})

test.each(WRITABLE)('spec 1: %s waits for room', async (key) => {
  const [a, b] = socketpair()
  c.fill(a)
  setTimeout(() => c.drain(b), 30)
  expect(
    await outcome(function* (environ) {
      return [yield environ[key](a, 0), yield environ[key](a, 5)]
    }),
  ).toEqual([false, true])
})

test('spec 1: a wrong argument throws at the call, and the application may go on', async () => {
  const result = await outcome(function* (environ) {
    const readable = environ['x-wsgiorg.fdevent.readable'] as (...args: unknown[]) => string
    const codes: unknown[] = []
    for (const args of [[-1], ['3'], [{}], [null], [0, -1], [0, Number.NaN], [0, '1']]) {
      try {
        readable(...args)
      } catch (error) {
        codes.push((error as { code: string }).code)
      }
    }
    yield ''
    return codes
  })
  const [range, type] = ['ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_TYPE']
  expect(result).toEqual([range, type, type, type, range, range, type])
})

test('spec 2: the calls return the empty string, and nothing is waited for before it is yielded', async () => {
  const [r] = pipe()
  const seen: unknown[] = []
  await outcome(function* (environ) {
    const { waits } = statistics()
    const returned = [environ['awsgi.readable'](r, 0.01)]
    seen.push(...returned, statistics().waits - waits)
    yield returned[0] as string
    return null
  })
  expect(seen).toEqual(['', 0])
})

test('spec 2: the time runs from the yield, not from the call', async () => {
  const [r] = pipe()
  const took = await outcome(function* (environ) {
    const suspension = environ['x-wsgiorg.fdevent.readable'](r, 0.05)
    const until = performance.now() + 60
    while (performance.now() < until);
    const from = performance.now()
    yield suspension
    return performance.now() - from
  })
  expect(took).toBeGreaterThanOrEqual(50)
})

describe('spec 3: resumes as select(2) returns', () => {
  test('spec 3: at once when it is ready already, and again, since nothing was read', async () => {
    const [r, w] = pipe()
    c.write(w)
    expect(
      await outcome(function* (environ) {
        return [yield environ['awsgi.readable'](r), yield environ['awsgi.readable'](r)]
      }),
    ).toEqual([true, true])
  })

  test('spec 3: at an end of file', async () => {
    const [r, w] = c.pipe()
    own(r)
    c.close(w)
    expect(
      await outcome(function* (environ) {
        return yield environ['awsgi.readable'](r, 5)
      }),
    ).toBe(true)
  })

  test('spec 3: for out-of-band data, for readers and for writers', async () => {
    const [a, b] = tcpPair()
    c.sendOutOfBand(b)
    expect(
      await outcome(function* (environ) {
        return yield environ['awsgi.readable'](a, 5)
      }),
    ).toBe(true)
    c.fill(a)
    expect(
      await outcome(function* (environ) {
        return yield environ['awsgi.writable'](a, 5)
      }),
    ).toBe(true)
  })

  test('spec 3: a hang-up makes nothing writable', async () => {
    const [r, w] = c.pipe()
    own(r)
    c.close(w)
    expect(
      await outcome(function* (environ) {
        return yield environ['awsgi.writable'](r, 0.05)
      }),
    ).toBe(false)
  })

  test('spec 3: a descriptor that is not open throws EBADF at the yield', async () => {
    const fd = closedHigh()
    const result = await outcome(function* (environ) {
      try {
        return yield environ['awsgi.readable'](fd, 5)
      } catch (error) {
        return (error as { code: string }).code
      }
    })
    expect(result).toBe('EBADF')
  })

  test('spec 3: closing() of the descriptor throws EBADF at the yield', async () => {
    const { closing } = await import('fdevent')
    const [r] = pipe()
    setTimeout(() => closing(r), 20)
    const served = await serve(
      answering(function* (environ) {
        return yield environ['awsgi.readable'](r)
      }),
    )
    expect((await ask(served)).status).toBe(500)
    expect(served.log.join('')).toContain('EBADF')
  })
})

test.each([
  ['a regular file', () => own(openSync(new URL(import.meta.url).pathname, 'r'))],
  ['a directory', () => own(openSync('/', 'r'))],
  ['/dev/null', () => own(openSync('/dev/null', 'r+'))],
])('spec 4: %s is ready at once', async (_name, open) => {
  const fd = open()
  expect(
    await outcome(function* (environ) {
      return [yield environ['awsgi.readable'](fd, 5), yield environ['x-wsgiorg.fdevent.writable'](fd, 5)]
    }),
  ).toEqual([true, true])
})

describe('spec 5: the outcome is the value of the yield', () => {
  test('spec 5: fdevent.select gives the complete lists, of the objects passed in', async () => {
    const [[r1, w1], [r2], [a]] = [pipe(), pipe(), socketpair()]
    c.write(w1)
    const first = { fileno: () => r1 }
    const same: boolean[] = []
    const result = await outcome(function* (environ) {
      const lists = yield environ['fdevent.select']([first, r2], [a, w1], [], 5)
      same.push(lists.readable[0] === first)
      return [lists.readable.length, lists.writable, lists.exceptional]
    })
    expect(result).toEqual([1, [a, w1], []])
    expect(same).toEqual([true])
  })

  test('spec 5: fdevent.select gives three empty lists when the time has passed', async () => {
    const [r] = pipe()
    const lists = { readable: [], writable: [], exceptional: [] }
    expect(
      await outcome(function* (environ) {
        return yield environ['fdevent.select']([r], [], [r], 0.02)
      }),
    ).toEqual(lists)
    expect(
      await outcome(function* (environ) {
        return yield environ['fdevent.select']([], [], [], 0.02)
      }),
    ).toEqual(lists)
  })

  test('spec 5: fdevent.select takes input objects beside descriptors', async () => {
    const [r, w] = pipe()
    c.write(w)
    const result = await outcome(function* (environ) {
      const input = environ['x-wsgiorg.async.input']
      const { readable } = yield environ['fdevent.select']([r, input], [], [], 5)
      return readable.map((one: unknown) => (one === input ? 'input' : one))
    })
    expect(result).toEqual([r, 'input'])
  })
})

describe('spec 6: misuse ends that request alone, with an error that says what to do', () => {
  const rule = async (application: Application): Promise<string> => {
    const served = await serve(application)
    expect((await ask(served)).status).toBe(500)
    return served.log.join('')
  }

  test('spec 6: a non-empty yield after a call', async () => {
    const text = await rule(function* (environ, startResponse) {
      startResponse('200 OK', [])
      environ['awsgi.readable'](0)
      yield 'something'
    })
    expect(text).toMatch(/other than the empty string was yielded.*middleware.*joined or dropped/s)
  })

  test('spec 6: a second call before the yield', async () => {
    const text = await rule(function* (environ) {
      environ['awsgi.readable'](0)
      yield environ['awsgi.writable'](1)
    })
    expect(text).toMatch(/two calls.*fdevent\.select/s)
  })

  test('spec 6: a second call before the yield, whose error the application swallows', async () => {
    const text = await rule(function* (environ, startResponse) {
      environ['awsgi.readable'](0)
      try {
        environ['x-wsgiorg.suspend'](10)
      } catch {
        // It believes that this helps.
      }
      startResponse('200 OK', [])
      yield 'all is well'
    })
    expect(text).toContain('two calls')
  })

  test('spec 6: a call that no yield follows is dropped silently', async () => {
    const [r] = pipe()
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [])
      yield 'answer'
      environ['awsgi.readable'](r)
    })
    expect(await ask(served)).toMatchObject({ status: 200, body: 'answer' })
    expect(served.log).toEqual([])
    expect(statistics().waits).toBe(0)
  })

  test('spec 6: a call after the end of the request', async () => {
    let kept: Environ | undefined
    const served = await serve((environ, startResponse) => {
      kept = environ
      startResponse('200 OK', [])
      return ['x']
    })
    await ask(served)
    expect(() => kept?.['awsgi.readable'](0)).toThrow(/the request is over/)
  })
})

describe('spec 7: a plain empty string', () => {
  test('spec 7: sends nothing, and iteration goes on', async () => {
    const served = await serve(function* (_environ, startResponse) {
      yield ''
      startResponse('200 OK', [])
      yield 'a'
      yield ''
      yield new Uint8Array(0)
      yield 'b'
    })
    expect(await ask(served)).toMatchObject({ status: 200, body: 'ab', cut: false })
  })

  test('spec 7: 10,000 of them starve no other request', async () => {
    const order: string[] = []
    const served = await serve(function* (environ, startResponse) {
      const long = environ.PATH_INFO === '/long'
      if (long) for (let i = 0; i < 10_000; i += 1) yield ''
      order.push(long ? 'long' : 'short')
      startResponse('200 OK', [])
      yield 'x'
    })
    const agent = new http.Agent({ keepAlive: true })
    const long = ask(served, '/long')
    for (let i = 0; i < 5; i += 1) await ask(served, '/short', { agent })
    await long
    agent.destroy()
    expect(order.at(-1)).toBe('long')
    await eventually(() => order.length).toBe(6)
  })

  test('spec 7: a body without end of small chunks starves no other request', async () => {
    let stop = false
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [])
      if (environ.PATH_INFO === '/long') while (!stop) yield 'x'
      yield 'end'
    })
    const long = ask(served, '/long')
    expect((await ask(served, '/short')).body).toBe('end')
    stop = true
    expect((await long).body).toMatch(/^x*end$/)
  })

  test('spec 7: an async generator that never really waits starves no other request', async () => {
    let stop = false
    const served = await serve(async function* (environ, startResponse) {
      startResponse('200 OK', [])
      if (environ.PATH_INFO === '/long') while (!stop) yield 'x'
      yield 'end'
    })
    const long = ask(served, '/long')
    expect((await ask(served, '/short')).body).toBe('end')
    stop = true
    expect((await long).body).toMatch(/^x*end$/)
  })
})
