import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { type Application, gateway } from 'fdevent/wsgi'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, pipe, temporaryDirectory, turns } from './helpers/owned.js'
import { ask, GET, listen, Raw, serve } from './helpers/wsgi.js'

/* eslint-disable require-yield, no-control-regex -- what throws never yields */
describe('exceptions', () => {
  const early: [string, Application][] = [
    [
      'thrown by the function',
      () => {
        throw new Error('oops')
      },
    ],
    [
      'rejected by the function',
      async () => {
        throw new Error('oops')
      },
    ],
    [
      'thrown by a generator',
      function* () {
        throw new Error('oops')
      },
    ],
    [
      'thrown by an async generator',
      async function* () {
        throw new Error('oops')
      },
    ],
    [
      'thrown after startResponse',
      function* (_environ, startResponse) {
        startResponse('200 OK', [['X-Lost', '1']])
        throw new Error('oops')
      },
    ],
    [
      'thrown after a plain yield',
      function* () {
        yield ''
        throw new Error('oops')
      },
    ],
    [
      'thrown by the iterator factory',
      () => ({
        [Symbol.iterator]() {
          throw new Error('oops')
        },
      }),
    ],
    [
      'that is no Error',
      () => {
        throw 'oops'
      },
    ],
    [
      'that is undefined',
      () => {
        throw undefined
      },
    ],
    [
      'that cannot be turned into text',
      () => {
        throw {
          toString() {
            throw new Error('x')
          },
        }
      },
    ],
  ]
  test.each(early)('spec 21: %s: logged, 500, and the connection serves on', async (name, application) => {
    const served = await serve((environ, startResponse) =>
      environ.PATH_INFO === '/bad' ? application(environ, startResponse) : (startResponse('200 OK', []), ['fine']),
    )
    const client = await Raw.connect(served)
    client.send('GET /bad HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.until(/^HTTP\/1\.1 500 Internal Server Error\r\n[^]*500 Internal Server Error\n$/)
    client.send(GET)
    await client.until(/fine/)
    expect(client.received).not.toMatch(/oops|X-Lost/)
    expect(served.log.join('')).toMatch(/^fdevent\/wsgi: GET "\/bad": /)
    if (!/undefined|text/.test(name)) expect(served.log.join('')).toContain('oops')
  })

  const late: [string, Application][] = [
    [
      'a generator',
      function* (_environ, startResponse) {
        startResponse('200 OK', [])
        yield 'part'
        throw new Error('oops')
      },
    ],
    [
      'an async generator',
      async function* (_environ, startResponse) {
        startResponse('200 OK', [])
        yield 'part'
        await turns(1)
        throw new Error('oops')
      },
    ],
    [
      'a function after write()',
      (_environ, startResponse) => {
        startResponse('200 OK', [])('part')
        throw new Error('oops')
      },
    ],
  ]
  test.each(late)(
    'spec 21: once the headers have gone, by %s: the connection is aborted',
    async (_name, application) => {
      const served = await serve(application)
      expect(await ask(served)).toMatchObject({ status: 200, body: 'part', cut: true })
      expect(served.log.join('')).toContain('oops')
      const old = await Raw.connect(served)
      let reset = false
      old.socket.on('error', () => (reset = true))
      old.send('GET / HTTP/1.0\r\n\r\n')
      await old.untilClosed()
      // Where the end of the connection would be the end of the body, it is reset instead.
      expect(reset).toBe(true)
    },
  )

  test('spec 21: the aborted response is not the first of its connection: those before it are complete', async () => {
    const [r, w] = pipe()
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [])
      if (environ.PATH_INFO === '/bad') {
        yield 'part'
        throw new Error('oops')
      }
      yield environ['awsgi.readable'](r)
      yield 'whole'
    })
    const client = await Raw.connect(served)
    client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /bad HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually(() => served.log.length).toBe(1)
    await turns()
    c.write(w)
    const text = await client.untilClosed()
    expect(text).toMatch(/whole[^]*HTTP\/1\.1 200[^]*part/)
  })

  test('spec 21: over a UNIX socket, which has no resets, too', async () => {
    const path = join(temporaryDirectory(), 'socket')
    const log: string[] = []
    const application: Application = function* (_environ, startResponse) {
      startResponse('200 OK', [])
      yield 'part'
      throw new Error('oops')
    }
    const server = http.createServer(gateway(application, { errors: { write: (text) => log.push(text) } }))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    onTestFinished(() => void server.close())
    for (let i = 0; i < 2; i += 1) {
      const client = net.connect(path, () => client.write('GET / HTTP/1.0\r\n\r\n'))
      client.resume()
      await new Promise((resolve) => client.on('close', resolve).on('error', () => {}))
    }
    expect(log).toHaveLength(2)
  })

  test('spec 21: a log that cannot be written to harms nobody', async () => {
    const server = http.createServer(
      gateway(
        () => {
          throw new Error('oops')
        },
        {
          errors: {
            write() {
              throw new Error('full')
            },
          },
        },
      ),
    )
    const port = await listen(server)
    expect((await ask(port)).status).toBe(500)
  })

  test('spec 21: a URL cannot forge lines of the log', async () => {
    const served = await serve(() => [])
    const client = await Raw.connect(served)
    client.send('GET /\x7f\x80"forged HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.until(/HTTP/)
    for (const text of served.log) expect(text.split('\n')[0]).not.toMatch(/[\x00-\x1f\x7f]/)
  })
})
