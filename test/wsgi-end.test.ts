import { AsyncLocalStorage } from 'node:async_hooks'
import http from 'node:http'
import { readable, statistics } from 'fdevent'
import { type Application, gateway } from 'fdevent/wsgi'
import { describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, pipe, turns } from './helpers/owned.js'
import { ask, GET, listen, Raw, serve } from './helpers/wsgi.js'

/** A body that counts how it is closed. */
function counted(chunks: unknown[], calls: string[], fail?: string) {
  let at = 0
  const maybe = (name: string): void => {
    calls.push(name)
    if (fail === name) throw new Error(`${name} failed`)
  }
  return {
    [Symbol.iterator]() {
      return {
        next(): any {
          if (fail === 'next') throw new Error('next failed')
          return at < chunks.length ? { done: false, value: chunks[at++] } : { done: true, value: undefined }
        },
        return(): any {
          maybe('return')
          return { done: true, value: undefined }
        },
      }
    },
    close: () => maybe('close'),
  }
}

describe('the end', () => {
  test('spec 19: return() and close() run exactly once at the normal end, the response being complete', async () => {
    const calls: string[] = []
    const served = await serve((_environ, startResponse) => {
      startResponse('200 OK', [])
      return counted(['a', 'b'], calls) as Iterable<string>
    })
    expect((await ask(served)).body).toBe('ab')
    await turns()
    expect(calls).toEqual(['return', 'close'])
  })

  test.each([
    ['next() throws', 'next', []],
    ['a chunk has a wrong type', undefined, [1]],
    ['startResponse was not called', undefined, ['x']],
  ])('spec 19: and when %s', async (_name, fail, chunks) => {
    const calls: string[] = []
    const served = await serve(() => counted(chunks, calls, fail) as Iterable<string>)
    expect((await ask(served)).status).toBe(500)
    expect(calls).toEqual(['return', 'close'])
  })

  test.each(['return', 'close'])('spec 19: %s() that throws is logged, and harms nobody', async (name) => {
    const calls: string[] = []
    const served = await serve((_environ, startResponse) => {
      startResponse('200 OK', [])
      return counted(['a'], calls, name) as Iterable<string>
    })
    expect((await ask(served)).body).toBe('a')
    expect((await ask(served)).body).toBe('a')
    expect(calls).toEqual(['return', 'close', 'return', 'close'])
    expect(served.log.join('')).toContain(`${name} failed`)
  })

  test('spec 19: a generator that yields while it is closed is logged, and harms nobody', async () => {
    const [r] = pipe()
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [])
      try {
        yield environ['awsgi.readable'](r)
        yield 'never'
      } finally {
        yield 'too late'
      }
    })
    const client = await Raw.connect(served)
    client.send(GET)
    await eventually(() => statistics().waits).toBe(1)
    client.destroy()
    await eventually(() => served.log.join('')).toMatch(/yielded while it was being closed/)
  })

  test('spec 19: close() of a body that arrives after the client has gone', async () => {
    const calls: string[] = []
    let deliver: (() => void) | undefined
    const served = await serve(async () => {
      await new Promise<void>((resolve) => (deliver = resolve))
      return counted(['a'], calls) as Iterable<string>
    })
    const client = await Raw.connect(served)
    client.send(GET)
    await eventually(() => deliver).toBeDefined()
    let closed = false
    served.server.once('connection', () => {})
    client.socket.once('close', () => (closed = true))
    client.destroy()
    await eventually(() => closed).toBe(true)
    await turns(10)
    deliver?.()
    await eventually(() => calls).toEqual(['close'])
  })
})

describe('a client that leaves', () => {
  const kinds: Record<string, (r: number, ended: (at: number) => void) => Application> = {
    generator: (r, ended) =>
      function* (environ, startResponse) {
        try {
          startResponse('200 OK', [])
          yield 'x'
          yield environ['awsgi.readable'](r)
          yield 'y'
        } finally {
          ended(performance.now())
        }
      },
    'async generator': (r, ended) =>
      async function* (environ, startResponse) {
        try {
          startResponse('200 OK', [])
          yield 'x'
          yield environ['awsgi.readable'](r)
          yield 'y'
        } finally {
          ended(performance.now())
        }
      },
    'async generator that awaits': (r, ended) =>
      async function* (environ, startResponse) {
        try {
          startResponse('200 OK', [])
          yield 'x'
          await readable(r, null, { signal: environ['fdevent.signal'] })
          yield 'y'
        } finally {
          ended(performance.now())
        }
      },
    'generator in fdevent.select': (r, ended) =>
      function* (environ, startResponse) {
        try {
          startResponse('200 OK', [])
          yield 'x'
          yield environ['fdevent.select']([r, environ['awsgi.input']].slice(0, 1), [], [])
        } finally {
          ended(performance.now())
        }
      },
    'generator in suspend': (_r, ended) =>
      function* (environ, startResponse) {
        try {
          startResponse('200 OK', [])
          yield 'x'
          environ['x-wsgiorg.suspend']()
          yield ''
          yield 'y'
        } finally {
          ended(performance.now())
        }
      },
  }

  test.each(Object.entries(kinds))(
    'spec 19: while its request is suspended, %s: the wait is cancelled and the generator closed within 0.1 s',
    async (_name, make) => {
      const [r] = pipe()
      let ended = 0
      const served = await serve(make(r, (at) => (ended = at)))
      const client = await Raw.connect(served)
      client.send(GET)
      await client.until(/x/)
      await eventually(() => statistics().waits).toBe(1)
      const left = performance.now()
      client.destroy()
      await eventually(() => ended).toBeGreaterThan(0)
      expect(ended - left).toBeLessThan(100)
      await eventually(() => statistics().waits).toBe(0)
      expect(c.isOpen(r)).toBe(true)
      expect(served.log).toEqual([])
    },
  )

  test('spec 19: while its request waits for its turn on a pipelined connection', async () => {
    const [r] = pipe()
    const ended: string[] = []
    const served = await serve(function* (environ, startResponse) {
      try {
        startResponse('200 OK', [])
        yield environ['awsgi.readable'](r)
      } finally {
        ended.push(environ.PATH_INFO)
      }
    })
    const client = await Raw.connect(served)
    for (let i = 0; i < 20; i += 1) client.send(`GET /${i} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await eventually(() => statistics().waits).toBe(20)
    client.destroy()
    await eventually(() => ended.length).toBe(20)
    expect(statistics().waits).toBe(0)
  })

  test('spec 19: while its connection is full', async () => {
    let ended = false
    const served = await serve(function* (_environ, startResponse) {
      try {
        startResponse('200 OK', [])
        for (;;) yield 'x'.repeat(100_000)
      } finally {
        ended = true
      }
    })
    const client = await Raw.connect(served)
    client.socket.pause()
    client.send(GET)
    await turns(20)
    expect(ended).toBe(false)
    client.destroy()
    await eventually(() => ended).toBe(true)
  })

  test('spec 19: fdevent.signal is aborted then, and only then', async () => {
    const signals: AbortSignal[] = []
    const [r] = pipe()
    const served = await serve(function* (environ, startResponse) {
      signals.push(environ['fdevent.signal'])
      expect(environ['fdevent.signal']).toBe(signals.at(-1))
      if (environ.PATH_INFO === '/wait') yield environ['awsgi.readable'](r)
      startResponse('200 OK', [])
    })
    await ask(served)
    const client = await Raw.connect(served)
    client.send('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually(() => statistics().waits).toBe(1)
    client.destroy()
    await eventually(() => signals.map(({ aborted }) => aborted)).toEqual([false, true])
  })
})

test('the context that the request came in holds at every step', async () => {
  const storage = new AsyncLocalStorage<string>()
  const [r, w] = pipe()
  c.write(w)
  const seen: unknown[] = []
  const listener = gateway(function* (environ, startResponse) {
    const look = () => seen.push(storage.getStore())
    look()
    yield ''
    look()
    yield environ['awsgi.readable'](r)
    look()
    environ['x-wsgiorg.suspend'](1)
    yield ''
    look()
    startResponse('200 OK', [])
    for (let i = 0; i < 5; i += 1) yield 'x'.repeat(1_000_000)
    look()
  })
  const port = await listen(http.createServer((req, res) => storage.run(req.url ?? '', () => listener(req, res))))
  await ask(port, '/get')
  expect(seen).toEqual(Array(5).fill('/get'))
  seen.length = 0
  await ask(port, '/post', { method: 'POST', body: 'x'.repeat(3_000_000) })
  expect(seen).toEqual(Array(5).fill('/post'))
})
