import type { Environ } from 'fdevent/wsgi'
import { gateway } from 'fdevent/wsgi'
import { describe, expect, test } from 'vitest'
import { ask, type Asking, Raw, serve } from './helpers/wsgi.js'

async function environOf(path = '/', asking: Asking = {}): Promise<Environ> {
  let environ: Environ | undefined
  const served = await serve((given, startResponse) => {
    environ = given
    startResponse('200 OK', [])
    return []
  })
  await ask(served, path, asking)
  return environ as Environ
}

test('spec 22: the CGI variables', async () => {
  const environ = await environOf('/a%20b/%C3%A9?x=%20y&z', {
    method: 'PUT',
    headers: { 'Content-Type': 'text/x', 'Content-Length': '3' },
    body: 'abc',
  })
  expect(environ).toMatchObject({
    REQUEST_METHOD: 'PUT',
    SCRIPT_NAME: '',
    PATH_INFO: '/a b/é',
    QUERY_STRING: 'x=%20y&z',
    REQUEST_URI: '/a%20b/%C3%A9?x=%20y&z',
    CONTENT_TYPE: 'text/x',
    CONTENT_LENGTH: '3',
    SERVER_NAME: '127.0.0.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REMOTE_ADDR: '127.0.0.1',
  })
  expect(environ.SERVER_PORT).toMatch(/^\d+$/)
  expect(environ.REMOTE_PORT).toMatch(/^\d+$/)
})

test('spec 22: no CONTENT_TYPE and no CONTENT_LENGTH where the client sent none', async () => {
  const environ = await environOf()
  expect(['CONTENT_TYPE' in environ, 'CONTENT_LENGTH' in environ, environ.QUERY_STRING]).toEqual([false, false, ''])
})

test('spec 22: HTTP_*', async () => {
  const environ = await environOf('/', {
    headers: { 'X-Trace-Id': 'a', Accept: ['text/a', 'text/b'], Cookie: 'a=1; b=2' },
  })
  expect(environ).toMatchObject({ HTTP_X_TRACE_ID: 'a', HTTP_ACCEPT: 'text/a, text/b', HTTP_COOKIE: 'a=1; b=2' })
  expect(environ.HTTP_HOST).toMatch(/^127\.0\.0\.1:\d+$/)
})

test('spec 22: what could be taken for something else is left out: Proxy, and names with underscores', async () => {
  const environ = await environOf('/', {
    headers: { Proxy: 'http://evil', X_Real_User: 'evil', 'X-Real-User': 'good' },
  })
  expect(['HTTP_PROXY' in environ, environ.HTTP_X_REAL_USER]).toEqual([false, 'good'])
  expect(Object.values(environ)).not.toContain('evil')
})

test('spec 22: the wsgi keys', async () => {
  const environ = await environOf()
  expect(environ).toMatchObject({
    'wsgi.version': [1, 0],
    'wsgi.url_scheme': 'http',
    'wsgi.multithread': false,
    'wsgi.multiprocess': false,
    'wsgi.run_once': false,
    'awsgi.version': [1, 0],
  })
  expect(typeof environ['wsgi.file_wrapper']).toBe('function')
  expect(environ['wsgi.input'].read()).toHaveLength(0)
})

test('spec 22: it is a plain object, made for each request, which middleware may copy and change', async () => {
  const environ = await environOf()
  expect(Object.getPrototypeOf(environ)).toBe(Object.prototype)
  const copy = { ...environ }
  for (const key of Object.keys(environ)) expect(copy[key], key).toBe(environ[key])
  expect(copy['fdevent.signal']).toBeInstanceOf(AbortSignal)
  environ['x.own'] = 1
  environ['fdevent.signal'] = AbortSignal.abort()
  expect(environ['fdevent.signal'].aborted).toBe(true)
  delete environ['wsgi.errors' as string]
  expect('wsgi.errors' in environ).toBe(false)
})

test('spec 22: wsgi.errors writes where the option says', async () => {
  const served = await serve((environ, startResponse) => {
    const errors = environ['wsgi.errors']
    errors.write('a')
    errors.writelines(['b', 'c'])
    errors.flush()
    startResponse('200 OK', [])
    return []
  })
  await ask(served)
  expect(served.log).toEqual(['a', 'b', 'c'])
})

describe('paths', () => {
  const paths: [string, string][] = [
    ['/%zz%41', '/%zzA'],
    ['/%ff%C3%A9', '/%ff%C3%A9'],
    ['/%ff-%C3%A9', '/%ff-é'],
    ['/%', '/%'],
    ['/a%2Fb', '/a/b'],
    ['//a//b', '//a//b'],
    ['http://somewhere:80/p%20q?r', '/p q'],
    ['/a?b?c', '/a'],
  ]
  test.each(paths)('spec 22: %s is %s; what does not decode stays', async (target, expected) => {
    let environ: Environ | undefined
    const served = await serve((given, startResponse) => {
      environ = given
      startResponse('200 OK', [])
      return []
    })
    const client = await Raw.connect(served)
    client.send(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await client.until(/^HTTP\/1\.1 200 OK/)
    expect([environ?.PATH_INFO, environ?.REQUEST_URI]).toEqual([expected, target])
  })
})

test('spec 22: HTTP/1.0 is told', async () => {
  let protocol: string | undefined
  const served = await serve(({ SERVER_PROTOCOL }, startResponse) => {
    protocol = SERVER_PROTOCOL
    startResponse('200 OK', [])
    return []
  })
  const client = await Raw.connect(served)
  client.send('GET / HTTP/1.0\r\n\r\n')
  await client.untilClosed()
  expect(protocol).toBe('HTTP/1.0')
})

test.each([
  [[undefined], 'ERR_INVALID_ARG_TYPE'],
  [[{}], 'ERR_INVALID_ARG_TYPE'],
  [[() => [], 1], 'ERR_INVALID_ARG_TYPE'],
  [[() => [], { input: 'other' }], 'ERR_OUT_OF_RANGE'],
  [[() => [], { maxBody: -1 }], 'ERR_OUT_OF_RANGE'],
  [[() => [], { spoolAbove: '1' }], 'ERR_INVALID_ARG_TYPE'],
  [[() => [], { errors: {} }], 'ERR_INVALID_ARG_TYPE'],
])('gateway(...%j) throws %s', (args, code) => {
  expect(() => (gateway as (...args: unknown[]) => unknown)(...args)).toThrow(expect.objectContaining({ code }))
})
