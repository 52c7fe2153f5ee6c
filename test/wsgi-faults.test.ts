// Applications that go wrong where nobody expects it: each ends its own request, and nothing else.
import { AsyncLocalStorage } from 'node:async_hooks'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { readable, statistics } from 'fdevent'
import { type Application, type Body, gateway } from 'fdevent/wsgi'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, pipe } from './helpers/owned.js'
import { ask, GET, Raw, serve, sleep } from './helpers/wsgi.js'

const READABLE = 'x-wsgiorg.fdevent.readable'

const traps: Record<string, object> = {
  'a getter of close': {
    get close(): never {
      throw new Error('trap')
    },
  },
  'a getter of next': {
    get next(): never {
      throw new Error('trap')
    },
  },
  'a promise of a result that throws': {
    close: () =>
      Promise.resolve({
        get done(): never {
          throw new Error('trap')
        },
      }),
  },
}
test.each(Object.entries(traps))('spec 21: %s on a body: other waits of its batch go on', async (_name, trap) => {
  const [r, w] = pipe()
  const body = (environ: Parameters<Application>[0]): Body =>
    Object.defineProperties(
      {
        *[Symbol.iterator]() {
          yield environ[READABLE](r)
          throw new Error('its own')
        },
      },
      Object.getOwnPropertyDescriptors(trap),
    )
  const served = await serve((environ) => body(environ))
  const answer = ask(served)
  await eventually(() => statistics().waits).toBe(1)
  const behind = readable(r, 60)
  c.write(w)
  expect((await answer).status).toBe(500)
  expect(await behind).toBe(true)
  // Nobody asks for next() again.
  await eventually(() => served.log.join()).toMatch('next' in trap ? /its own/ : /trap/)
})

test('spec 7: after a wait that could not begin, a plain empty string is as plain as ever', async () => {
  const served = await serve(function* (environ, startResponse) {
    try {
      yield environ[READABLE](9999, 1)
    } catch (error) {
      expect(error).toMatchObject({ code: 'EBADF' })
    }
    yield ''
    startResponse('200 OK', [])
    yield 'fine'
  })
  expect(await ask(served)).toMatchObject({ status: 200, body: 'fine' })
})

test.each([
  ['headers', (res: { writeHead(status: number): unknown }) => res.writeHead(200)],
  ['a part', (res: { write(text: string): unknown }) => res.write('part')],
])('spec 21: %s sent past the gateway, then an exception: the connection is cut', async (_name, touch) => {
  const served = await serve((environ) => {
    touch(environ['fdevent.response'])
    throw new Error('x')
  })
  const client = await Raw.connect(served)
  client.send(GET)
  expect(await client.untilClosed()).not.toMatch(/\r\n0\r\n\r\n$/)
})

test('spec 13: lines that readlines() took are returned, though the next has not arrived', async () => {
  const taken: string[] = []
  const served = await serve(
    function* (environ, startResponse) {
      yield environ[READABLE](environ['wsgi.input'])
      taken.push(...environ['wsgi.input'].readlines().map(String))
      yield environ[READABLE](environ['wsgi.input'])
      while (taken.length < 3) {
        try {
          const lines = environ['wsgi.input'].readlines()
          taken.push(...lines.map(String))
        } catch {
          yield ''
        }
      }
      startResponse('200 OK', [])
      yield 'done'
    },
    { input: 'streaming' },
  )
  const client = await Raw.connect(served)
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\na\nb\nc')
  await eventually(() => taken.length).toBe(2)
  client.send('\n')
  await client.until(/done/)
  expect(taken).toEqual(['a\n', 'b\n', 'c\n'])
})

test('the signal asked for within a context of its own does not carry that context on', async () => {
  const storage = new AsyncLocalStorage<string>()
  const served = await serve(function* (environ, startResponse) {
    storage.run('leaked', () => environ['fdevent.signal'])
    yield ''
    startResponse('200 OK', [])
    yield String(storage.getStore())
  })
  expect((await ask(served)).body).toBe('undefined')
})

test('spec 21: a head that node:http2 refuses is answered with 500', async () => {
  const log: string[] = []
  const application: Application = (_environ, startResponse) => {
    startResponse('200 OK', [
      ['Content-Type', 'a/b'],
      ['Content-Type', 'c/d'],
    ])
    return ['x']
  }
  const server = http2.createServer(gateway(application, { errors: { write: (text) => log.push(text) } }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(() => {
    session.destroy()
    server.close()
  })
  const status = await new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/' })
    stream.on('response', (headers) => resolve(headers[':status'])).on('error', reject)
    stream.resume()
  })
  expect(status).toBe(500)
  expect(log.join()).toMatch(/content-type/i)
})

test('an array with an iterator of its own may use one buffer for all its chunks', async () => {
  const served = await serve((_environ, startResponse) => {
    startResponse('200 OK', [])
    return Object.assign([] as Buffer[], {
      *[Symbol.iterator]() {
        const buffer = Buffer.alloc(4, 'a')
        yield buffer
        buffer.fill('b')
        yield buffer
      },
    })
  })
  expect((await ask(served)).body).toBe('aaaabbbb')
})

test('spec 16: startResponse called while its headers are read is a second call', async () => {
  const served = await serve((_environ, startResponse) => {
    startResponse('200 OK', {
      *[Symbol.iterator]() {
        startResponse('201 Created', [['A', '1']])
        yield ['B', '2'] as const
      },
    })
    return ['x']
  })
  expect((await ask(served)).status).toBe(500)
  expect(served.log.join()).toMatch(/startResponse was called while the headers/)
})

test('spec 14: no 100 Continue for HTTP/1.0', async () => {
  const served = await serve((environ, startResponse) => {
    startResponse('200 OK', [])
    return [environ['wsgi.input'].read()]
  })
  served.server.on('checkContinue', served.server.listeners('request')[0] as never)
  const client = await Raw.connect(served)
  client.send('POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi')
  expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 200 OK[^]*hi$/)
})

test('spec 14: what is pipelined behind a body that is too long is not run unseen', async () => {
  const seen: string[] = []
  const served = await serve(
    (environ, startResponse) => {
      seen.push(environ.PATH_INFO)
      startResponse('200 OK', [])
      return ['x']
    },
    { maxBody: 1 },
  )
  const client = await Raw.connect(served)
  client.send('POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nHost: x\r\n\r\n')
  expect(await client.untilClosed()).toMatch(/^HTTP\/1\.1 413 [^]*413 Content Too Large\n/)
  expect(seen).toEqual([])
})

test('spec 19: an iterator whose step never comes is closed when its client leaves', async () => {
  let returned = 0
  const served = await serve(() => ({
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<never>(() => {}),
      return: () => Promise.resolve({ done: true as const, value: (returned += 1) }),
    }),
  }))
  const client = await Raw.connect(served)
  client.send(GET)
  await sleep(50)
  client.destroy()
  await eventually(() => returned).toBe(1)
})
