import { openSync } from 'node:fs'
import { closing, readable, statistics } from 'fdevent'
import { type Application, type Environ, outcome, type Suspension, WsgiError, withFdevent } from 'fdevent/wsgi'
import { describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, own, pipe, socketpair } from './helpers/owned.js'
import { ask, serve } from './helpers/wsgi.js'

/** A server without the extension: iterates, and that is all. */
function plain(application: Application): { status: string; chunks: unknown[] } {
  let status = ''
  const environ = { 'wsgi.input': { read: () => Buffer.from('body') } } as unknown as Environ
  const body = application(environ, (given) => {
    status = given
    return () => {}
  }) as Iterable<unknown> & { close?: () => void }
  try {
    return { chunks: [...body], status }
  } finally {
    body.close?.()
  }
}

describe('withFdevent', () => {
  test('spec 25: blocks instead of yielding, and the outcome is the value of the yield', () => {
    const [r, w] = pipe()
    c.write(w)
    const { chunks, status } = plain(
      withFdevent(function* (environ, startResponse) {
        const seen = [yield environ['awsgi.readable'](r), environ['awsgi.timeout']]
        c.read(r)
        const from = performance.now()
        seen.push(yield environ['x-wsgiorg.fdevent.readable'](r, 0.03), environ['x-wsgiorg.fdevent.timeout'].expired)
        expect(performance.now() - from).toBeGreaterThanOrEqual(30)
        seen.push(yield environ['x-wsgiorg.async.writable'](w, 1), environ['x-wsgiorg.async.timeout'])
        startResponse('200 OK', [])
        yield JSON.stringify(seen)
        yield ''
      }),
    )
    expect(status).toBe('200 OK')
    expect(chunks).toEqual(['[true,false,false,true,true,false]', ''])
    expect(statistics().waits).toBe(0)
  })

  test('spec 25: select, regular files, hang-ups, and the input', () => {
    const [[r1, w1], [r2]] = [pipe(), pipe()]
    const [hungUp, writer] = c.pipe()
    own(hungUp)
    c.close(writer)
    c.write(w1)
    const file = own(openSync(new URL(import.meta.url).pathname, 'r'))
    plain(
      withFdevent(function* (environ) {
        const input = environ['x-wsgiorg.async.input']
        expect(yield environ['fdevent.select']([r1, r2, file], [w1], [], 1)).toEqual({
          readable: [r1, file],
          writable: [w1],
          exceptional: [],
        })
        expect(yield environ['fdevent.select']([r2, input], [], [], 1)).toMatchObject({ readable: [input] })
        expect(yield environ['fdevent.select']([r2], [], [], 0.01)).toMatchObject({ readable: [] })
        expect(yield environ['awsgi.readable'](file)).toBe(true)
        expect(yield environ['awsgi.writable'](hungUp, 0.05)).toBe(false)
        expect(yield environ['awsgi.readable'](hungUp, 1)).toBe(true)
        expect(yield environ['awsgi.readable'](input)).toBe(true)
        expect(input.read(10).toString()).toBe('body')
      }),
    )
  })

  test('spec 25: suspend blocks for its time, and needs one', () => {
    plain(
      withFdevent(function* (environ) {
        environ['x-wsgiorg.suspend'](10)
        expect(yield '').toBe(false)
        expect(environ['x-wsgiorg.suspend_status']).toBe(true)
        environ['x-wsgiorg.suspend']()()
        expect(yield '').toBe(true)
        environ['x-wsgiorg.suspend']()
        let error: unknown
        try {
          yield ''
        } catch (caught) {
          error = caught
        }
        expect(error).toBeInstanceOf(WsgiError)
      }),
    )
  })

  test('spec 25: keeps the rules, closes what it wraps, and throws where the application waits', () => {
    const [r] = pipe()
    expect(() =>
      plain(
        withFdevent(function* (environ) {
          environ['awsgi.readable'](r)
          yield 'x'
        }),
      ),
    ).toThrow(/empty string/)
    expect(() =>
      plain(
        withFdevent(function* (environ) {
          environ['awsgi.readable'](r)
          yield environ['awsgi.readable'](r)
        }),
      ),
    ).toThrow(/two calls/)
    const calls: string[] = []
    const body = Object.assign(['x'], { close: () => calls.push('close') })
    plain(withFdevent(() => body))
    expect(calls).toEqual(['close'])
    const closed = c.dupAbove(r, 950)
    c.close(closed)
    plain(
      withFdevent(function* (environ) {
        try {
          yield environ['awsgi.readable'](closed)
        } catch (error) {
          calls.push((error as { code: string }).code)
        }
      }),
    )
    expect(calls).toEqual(['close', 'EBADF'])
  })

  test('spec 25: works for async generators, and steps aside on a server that has the extension', async () => {
    const [r, w] = pipe()
    c.write(w)
    const application = withFdevent(async function* (environ, startResponse) {
      startResponse('200 OK', [])
      yield String(yield environ['awsgi.readable'](r, 1))
    })
    const there = application({ 'wsgi.input': {} } as Environ, () => () => {}) as AsyncIterable<string>
    const chunks: string[] = []
    for await (const chunk of there) chunks.push(chunk)
    expect(chunks).toEqual(['true'])
    c.read(r)
    const served = await serve(application)
    const answer = ask(served)
    await eventually(() => statistics().waits).toBe(1)
    c.write(w)
    expect((await answer).body).toBe('true')
  })
})

describe('nested waits', () => {
  test('spec 26: yield* in generators', async () => {
    const [r, w] = pipe()
    function* inner(environ: Environ): Generator<string, string, any> {
      const ready = yield* outcome(environ['x-wsgiorg.fdevent.readable'](r, 5))
      return String(ready)
    }
    const served = await serve(function* (environ, startResponse) {
      const text = yield* inner(environ)
      startResponse('200 OK', [])
      yield text
    })
    setTimeout(() => c.write(w), 10)
    expect((await ask(served)).body).toBe('true')
  })

  test('spec 26: await in async generators, of the library itself', async () => {
    const [a, b] = socketpair()
    const inner = async (): Promise<string> => {
      await readable(a, 5)
      return new TextDecoder().decode(c.read(a))
    }
    const served = await serve(async function* (environ, startResponse) {
      const text = await inner()
      const ready = (yield environ['x-wsgiorg.fdevent.readable'](a, 0)) as boolean
      startResponse('200 OK', [])
      yield `${text} ${ready}`
    })
    setTimeout(() => c.write(b, 'hello'), 10)
    expect((await ask(served)).body).toBe('hello false')
  })

  test('spec 26: a wait that fails is thrown through all generators', async () => {
    const [r] = pipe()
    function* inner(environ: Environ): Generator<Suspension<boolean>, boolean, any> {
      return yield environ['awsgi.readable'](r)
    }
    const served = await serve(function* (environ, startResponse) {
      let text = 'nothing'
      try {
        yield* inner(environ)
      } catch (error) {
        text = (error as { code: string }).code
      }
      startResponse('200 OK', [])
      yield text
    })
    const answer = ask(served)
    await eventually(() => statistics().waits).toBe(1)
    closing(r)
    expect((await answer).body).toBe('EBADF')
  })
})

describe('middleware', () => {
  const waiting = (r: number): Application =>
    function* (environ, startResponse) {
      const ready = yield environ['x-wsgiorg.fdevent.readable'](r, 0.01)
      startResponse('200 OK', [])
      yield `outcome ${ready}`
    }

  test('spec 27: works if it forwards the empty string, and the value with yield*', async () => {
    const [r] = pipe()
    const middleware = (inner: Application): Application =>
      function* (environ, startResponse) {
        yield* inner(environ, startResponse) as Generator<string, void, any>
        yield '!'
      }
    expect((await ask(await serve(middleware(middleware(waiting(r)))))).body).toBe('outcome false!!')
  })

  const broken: Record<string, (inner: Application) => Application> = {
    'drops the empty string': (inner) =>
      function* (environ, startResponse) {
        for (const chunk of inner(environ, startResponse) as Iterable<string>) if (chunk !== '') yield chunk
      },
    'joins the chunks': (inner) => (environ, startResponse) => [
      [...(inner(environ, startResponse) as Iterable<string>)].join(''),
    ],
    'puts something before each chunk': (inner) =>
      function* (environ, startResponse) {
        for (const chunk of inner(environ, startResponse) as Iterable<string>) yield `> ${chunk}`
      },
  }
  test.each(Object.entries(broken))('spec 27: that %s is detected, and told', async (_name, middleware) => {
    const [r] = pipe()
    const served = await serve(middleware(waiting(r)))
    expect((await ask(served)).status).toBe(500)
    expect(served.log.join('')).toMatch(/middleware .* joined or dropped the empty string/)
    expect(statistics().waits).toBe(0)
  })
})
