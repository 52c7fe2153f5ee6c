import type { Application } from 'fdevent/wsgi'
import { describe, expect, test } from 'vitest'
import { eventually, turns } from './helpers/owned.js'
import { ask, GET, Raw, serve } from './helpers/wsgi.js'

describe('what is no body, no chunk, no step', () => {
  const started =
    (body: unknown): Application =>
    (_environ, startResponse) => {
      startResponse('200 OK', [])
      return body as never
    }
  const bad: [string, unknown, RegExp][] = [
    ['a string', 'text', /returned a string; put it in an array/],
    ['a buffer', Buffer.from('x'), /returned a buffer; put it in an array/],
    ['undefined', undefined, /returned undefined/],
    ['null', null, /returned null/],
    ['a number', 5, /returned a number/],
    ['an object', {}, /returned an object/],
    ['a generator function', function* () {}, /returned a function.*call it/],
    ['a promise of nothing', Promise.resolve(), /returned undefined/],
    ['an array of numbers', [1], /chunk.*not a number; String\(\)/],
    ['an array of promises', [Promise.resolve('x')], /chunk.*not a promise; await it/],
    ['an array of arrays', [['x']], /chunk.*not an array/],
    ['an array with null', [null], /chunk.*not null/],
    ['an ArrayBuffer as chunk', [new ArrayBuffer(1)], /chunk.*not an instance of ArrayBuffer/],
    ['an iterator without next()', { [Symbol.iterator]: () => ({}) }, /no method next/],
    ['an iterator that is null', { [Symbol.iterator]: () => null }, /no method next/],
    ['a step that is no object', { [Symbol.iterator]: () => ({ next: () => 5 }) }, /returned a number instead of/],
    ['an async step that is no promise', { [Symbol.asyncIterator]: () => ({ next: () => 5 }) }, /a number instead of/],
    ['a step that is null', { [Symbol.asyncIterator]: () => ({ next: async () => null }) }, /null instead of/],
    [
      'a chunk with a getter that throws',
      [
        {
          get length() {
            throw new Error('x')
          },
        },
      ],
      /chunk/,
    ],
  ]
  test.each(bad)('%s: 500, with an error that names it', async (_name, body, message) => {
    const served = await serve(started(body))
    expect((await ask(served)).status).toBe(500)
    expect(served.log.join('')).toMatch(message)
    expect(served.log).toHaveLength(1)
  })

  test('an async iterator may answer without promises', async () => {
    let left = 2
    const iterator = { next: () => ({ done: left-- === 0, value: 'x' }) }
    const served = await serve(started({ [Symbol.asyncIterator]: () => iterator }))
    expect((await ask(served)).body).toBe('xx')
  })

  test('a Node stream is a body', async () => {
    const { Readable } = await import('node:stream')
    const served = await serve(started(Readable.from([Buffer.from('a'), Buffer.from('b')])))
    expect((await ask(served)).body).toBe('ab')
  })
})

describe('what an application does to the response behind the back of the gateway', () => {
  test('answering through fdevent.response ends that request with an error, and the server lives', async () => {
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [])
      if (environ.PATH_INFO === '/bad') environ['fdevent.response'].end('mine')
      yield 'x'
      yield 'y'
    })
    expect((await ask(served, '/bad')).body).toBe('mine')
    await eventually(() => served.log.join('')).toMatch(/sent by somebody else/)
    expect((await ask(served)).body).toBe('xy')
  })

  test('destroying the connection in the middle', async () => {
    const ends: string[] = []
    const served = await serve(function* (environ, startResponse) {
      try {
        startResponse('200 OK', [])
        yield 'x'
        if (environ.PATH_INFO === '/request') environ['fdevent.request'].destroy()
        else environ['fdevent.response'].destroy()
        for (let i = 0; i < 1000; i += 1) yield 'y'
        yield ''
        yield 'z'
      } finally {
        ends.push(environ.PATH_INFO)
      }
    })
    for (const path of ['/request', '/response']) await ask(served, path).catch(() => undefined)
    await eventually(() => ends).toEqual(['/request', '/response'])
  })

  test('startResponse and write after the end', async () => {
    const errors: unknown[] = []
    let late: (() => void)[] = []
    const served = await serve((_environ, startResponse) => {
      const write = startResponse('200 OK', [])
      late = [() => write('late'), () => void startResponse('200 OK', [])]
      return ['x']
    })
    expect((await ask(served)).body).toBe('x')
    for (const act of late) {
      try {
        act()
      } catch (error) {
        errors.push((error as { code: string }).code)
      }
    }
    await turns()
    expect(errors).toEqual(['ERR_WSGI_RULE'])
    expect(served.log.join('')).toMatch(/write\(\) was called after the request was over/)
    expect((await ask(served)).body).toBe('x')
  })
})

describe('connections', () => {
  test('pipelined requests are answered in order, whatever order they finish in', async () => {
    const served = await serve(function* (environ, startResponse) {
      environ['x-wsgiorg.suspend'](Number(environ.QUERY_STRING))
      yield ''
      startResponse('200 OK', [])
      yield `<${environ.PATH_INFO}>`
    })
    const client = await Raw.connect(served)
    client.send(['/a?30', '/b?1', '/c?15', '/d?0'].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
    await client.until(/<\/a>[^]*<\/b>[^]*<\/c>[^]*<\/d>/)
  })

  test('a pipelined response larger than all buffers waits for its turn', async () => {
    let release: (() => boolean) | undefined
    let made = 0
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [])
      if (environ.PATH_INFO === '/first') {
        release = environ['x-wsgiorg.suspend']()
        yield ''
        yield 'first'
        return
      }
      for (; made < 500; made += 1) yield 'x'.repeat(10_000)
      yield 'end'
    })
    const client = await Raw.connect(served)
    client.send('GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually(() => made).toBeGreaterThan(0)
    await turns()
    expect(made).toBeLessThan(50)
    release?.()
    await client.until(/first[^]*end\r\n0\r\n\r\n$/)
    expect(made).toBe(500)
  })

  test('what is no HTTP reaches no application', async () => {
    let started = 0
    const served = await serve((_environ, startResponse) => {
      started += 1
      startResponse('200 OK', [])
      return ['x']
    })
    for (const text of [
      'nonsense\r\n\r\n',
      'GET / HTTP/1.1\r\nA\r\n\r\n',
      'POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n',
    ]) {
      const client = await Raw.connect(served)
      client.send(text)
      expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 400 /)
    }
    expect(started).toBe(0)
  })

  test('a client that only closes its sending side', async () => {
    const served = await serve((_environ, startResponse) => (startResponse('200 OK', []), ['x']))
    const client = await Raw.connect(served)
    client.socket.end(GET)
    expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 200 OK[^]*x$/)
  })

  test('a thousand headers of names never seen before', async () => {
    const served = await serve((environ, startResponse) => {
      startResponse('200 OK', [])
      return [String(Object.keys(environ).filter((key) => key.startsWith('HTTP_Z')).length)]
    })
    for (let round = 0; round < 3; round += 1) {
      const client = await Raw.connect(served)
      const headers = Array.from({ length: 900 }, (_, i) => `Z${round}-${i}: 1\r\n`).join('')
      client.send(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`)
      expect(await client.untilClosed()).toMatch(/\r\n900$/)
    }
  })
})
