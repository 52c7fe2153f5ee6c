import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import express from 'express'
// @ts-expect-error its types are those of another version
import express4 from 'express4'
import fastify from 'fastify'
import { statistics } from 'fdevent'
import { type Application, gateway } from 'fdevent/wsgi'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import * as c from './helpers/libc.js'
import { eventually, pipe } from './helpers/owned.js'
import { ask, listen } from './helpers/wsgi.js'

const folder = mkdtempSync(join(tmpdir(), 'fdevent-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A certificate for this run, signed by itself. */
function certificate(): { key: Buffer; cert: Buffer } {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = [
    '-subj',
    '/CN=localhost',
    '-days',
    '1',
    '-nodes',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
  ]
  execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

/** Waits, then says how it was asked. */
const waiting = (r: number): Application =>
  function* (environ, startResponse) {
    const ready = yield environ['x-wsgiorg.fdevent.readable'](r, 10)
    const { SCRIPT_NAME, PATH_INFO, QUERY_STRING, SERVER_PROTOCOL } = environ
    startResponse('200 OK', [
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['X-Own', '1'],
    ])
    yield JSON.stringify([ready, SCRIPT_NAME, PATH_INFO, QUERY_STRING, SERVER_PROTOCOL, environ['wsgi.url_scheme']])
    yield environ['wsgi.input'].read()
  }

function readyPipe(): number {
  const [r, w] = pipe()
  c.write(w)
  return r
}

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('%s', (_name, make) => {
  test('as middleware: mounted, with the parts of the path in their places', async () => {
    const app = make()
    app.use('/some%20where/x', gateway(waiting(readyPipe())))
    app.get('/other', (_req: unknown, res: http.ServerResponse) => void res.end('other'))
    const port = await listen(http.createServer(app))
    const answer = await ask(port, '/some%20where/x/a%20b?c=d', { method: 'POST', body: 'posted' })
    expect(answer.body).toBe('[true,"/some where/x","/a b","c=d","HTTP/1.1","http"]posted')
    // What Express has set stays, and of the application's lines none is lost.
    expect(answer.headers['x-powered-by']).toBe('Express')
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect((await ask(port, '/other')).body).toBe('other')
    expect((await ask(port, '/nowhere')).status).toBe(404)
  })

  test('as middleware at the root', async () => {
    const app = make()
    app.use(gateway(waiting(readyPipe())))
    const { body } = await ask(await listen(http.createServer(app)), '/a?b')
    expect(body).toBe('[true,"","/a","b","HTTP/1.1","http"]')
  })

  test('behind a parser that leaves bytes the application reads them; behind another the request fails and says why', async () => {
    const log: string[] = []
    const app = make()
    const echo = gateway((environ, startResponse) => (startResponse('200 OK', []), [environ['wsgi.input'].read()]), {
      errors: { write: (text) => log.push(text) },
    })
    app.use('/raw', make.raw({ type: () => true }), echo)
    app.use('/text', make.text({ type: () => true }), echo)
    app.use('/json', make.json(), echo)
    const port = await listen(http.createServer(app))
    const asking = { method: 'POST', body: '{"a":1}', headers: { 'Content-Type': 'application/json' } }
    expect((await ask(port, '/raw', asking)).body).toBe('{"a":1}')
    expect((await ask(port, '/text', asking)).body).toBe('{"a":1}')
    expect((await ask(port, '/json', asking)).status).toBe(500)
    expect(log.join('')).toMatch(/read before the gateway got the request.*express\.raw/s)
    expect((await ask(port, '/json', { method: 'POST', body: 'untouched' })).body).toBe('untouched')
  })
})

test('Fastify: a route that hands the request over', async () => {
  const app = fastify()
  onTestFinished(() => app.close())
  const listener = gateway(waiting(readyPipe()))
  await app.register(async (scope) => {
    // Bodies stay unread for the gateway.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    scope.all('/wsgi/*', (request, reply) => {
      reply.hijack()
      listener(request.raw, reply.raw)
    })
  })
  app.get('/other', async () => 'other')
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const answer = await ask(port, '/wsgi/a?b', { method: 'POST', body: 'posted' })
  expect(answer.body).toBe('[true,"","/wsgi/a","b","HTTP/1.1","http"]posted')
  expect((await ask(port, '/other')).body).toBe('other')
})

test('https', async () => {
  const { key, cert } = certificate()
  const port = await listen(https.createServer({ key, cert }, gateway(waiting(readyPipe()))))
  const body = await new Promise<string>((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path: '/a?b', ca: cert, servername: 'localhost', agent: false } as const
    https
      .get(options, (res) => {
        let text = ''
        res.on('data', (piece: Buffer) => (text += piece.toString())).on('end', () => resolve(text))
      })
      .on('error', reject)
  })
  expect(body).toBe('[true,"","/a","b","HTTP/1.1","https"]')
})

describe('http2', () => {
  interface Streamed {
    headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader
    body: string
    code: number
  }

  async function connect(server: http2.Http2Server, options: http2.SecureClientSessionOptions = {}) {
    const port = await listen(server)
    const secure = options.ca !== undefined
    const session = http2.connect(`${secure ? 'https' : 'http'}://localhost:${port}`, {
      ...options,
      host: '127.0.0.1',
    } as object)
    onTestFinished(() => session.destroy())
    return session
  }

  function request(
    session: http2.ClientHttp2Session,
    headers: http2.OutgoingHttpHeaders,
    body?: string,
  ): Promise<Streamed> {
    const stream = session.request(headers)
    const answer: Streamed = { headers: {}, body: '', code: 0 }
    stream.on('response', (received) => (answer.headers = received))
    stream.on('data', (piece: Buffer) => (answer.body += piece.toString()))
    stream.on('error', () => {})
    stream.end(body)
    return new Promise((resolve) => stream.on('close', () => resolve({ ...answer, code: stream.rstCode })))
  }
  const listener = (application: Application, log: string[] = []) =>
    gateway(application, { errors: { write: (text) => log.push(text) } })

  test('requests, bodies, several lines of one header', async () => {
    const session = await connect(http2.createServer(listener(waiting(readyPipe()))))
    const { headers, body } = await request(session, { ':method': 'POST', ':path': '/a?b' }, 'posted')
    expect(body).toBe('[true,"","/a","b","HTTP/2.0","http"]posted')
    expect([headers[':status'], headers['set-cookie'], headers['x-own']]).toEqual([200, ['a=1', 'b=2'], '1'])
    expect((await request(session, { ':path': '/x' })).body).toContain('"/x"')
  })

  test('over TLS, with :authority as HTTP_HOST', async () => {
    const { key, cert } = certificate()
    const application: Application = (environ, startResponse) => {
      startResponse('200 OK', [])
      return [`${environ['wsgi.url_scheme']} ${environ.HTTP_HOST} ${environ.REMOTE_ADDR}`]
    }
    const session = await connect(http2.createSecureServer({ key, cert }, listener(application)), { ca: cert })
    const { headers, body } = await request(session, { ':path': '/', ':authority': 'name.example' })
    expect([body, headers['content-length']]).toEqual(['https name.example 127.0.0.1', String(body.length)])
  })

  test('HEAD, 204, errors before and after the headers', async () => {
    const log: string[] = []
    const application: Application = function* (environ, startResponse) {
      if (environ.PATH_INFO === '/throw') throw new Error('oops')
      startResponse(environ.PATH_INFO === '/204' ? '204 No Content' : '200 OK', [])
      yield 'body'
      if (environ.PATH_INFO === '/late') throw new Error('oops')
    }
    const session = await connect(http2.createServer(listener(application, log)))
    const head = await request(session, { ':method': 'HEAD', ':path': '/' })
    expect([head.headers['content-length'], head.body]).toEqual(['4', ''])
    expect((await request(session, { ':path': '/204' })).body).toBe('')
    expect((await request(session, { ':path': '/throw' })).headers[':status']).toBe(500)
    expect((await request(session, { ':path': '/late' })).code).toBe(http2.constants.NGHTTP2_INTERNAL_ERROR)
    // The session, and with it its other requests, lives on.
    expect((await request(session, { ':path': '/' })).body).toBe('body')
    expect(log).toHaveLength(2)
  })

  test('a body announced too long: 413', async () => {
    const server = http2.createServer(gateway(() => [], { maxBody: 10 }))
    const session = await connect(server)
    const { headers } = await request(
      session,
      { ':method': 'POST', ':path': '/', 'content-length': 11 },
      'x'.repeat(11),
    )
    expect(headers[':status']).toBe(413)
  })

  test('a client that does not read suspends the application, and one that cancels ends it', async () => {
    let made = 0
    let ended = 0
    const [r] = pipe()
    const application: Application = function* (environ, startResponse) {
      try {
        startResponse('200 OK', [])
        yield 'x'
        if (environ.PATH_INFO === '/wait') yield environ['awsgi.readable'](r)
        for (; made < 10_000; made += 1) yield 'x'.repeat(10_000)
      } finally {
        ended += 1
      }
    }
    const session = await connect(http2.createServer(listener(application)))
    const slow = session.request({ ':path': '/' })
    slow.on('error', () => {})
    const stuck = session.request({ ':path': '/wait' })
    await eventually(() => statistics().waits).toBe(1)
    stuck.close(http2.constants.NGHTTP2_CANCEL)
    await eventually(() => [ended, statistics().waits]).toEqual([1, 0])
    const before = made
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(made).toBe(before)
    expect(made).toBeLessThan(1000)
    slow.close(http2.constants.NGHTTP2_CANCEL)
    await eventually(() => ended).toBe(2)
  })
})
