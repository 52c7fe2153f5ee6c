import { openSync } from 'node:fs'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Application, StartResponse } from 'fdevent/wsgi'
import { describe, expect, test } from 'vitest'
import { eventually, own, pipe, temporaryDirectory } from './helpers/owned.js'
import { type Answer, ask, GET, Raw, serve, sleep } from './helpers/wsgi.js'

async function answer(application: Application, method = 'GET'): Promise<Answer & { log: string }> {
  const served = await serve(application)
  const result = await ask(served, '/', { method })
  return { ...result, log: served.log.join('') }
}

describe('startResponse', () => {
  test('spec 15: sends nothing before the first non-empty chunk', async () => {
    let resume: (() => boolean) | undefined
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [])
      resume = environ['x-wsgiorg.suspend']()
      yield ''
      yield 'x'
    })
    const client = await Raw.connect(served)
    client.send(GET)
    await eventually(() => resume).toBeDefined()
    await sleep(30)
    expect(client.received).toBe('')
    resume?.()
    await client.until(/^HTTP\/1.1 200 OK\r\n/)
  })

  test('spec 15: the first chunk is sent before the application is suspended', async () => {
    let resume: (() => boolean) | undefined
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [])
      yield 'first'
      resume = environ['x-wsgiorg.suspend']()
      yield ''
      yield 'second'
    })
    const client = await Raw.connect(served)
    client.send(GET)
    await client.until(/first/)
    resume?.()
    await client.until(/second/)
  })

  test('spec 15: waiting before it is legal, so a late 504 works', async () => {
    const [r] = pipe()
    const result = await answer(function* (environ, startResponse) {
      const ready = yield environ['x-wsgiorg.fdevent.readable'](r, 0.02)
      startResponse(ready ? '200 OK' : '504 Gateway Timeout', [['X-Why', 'late']])
      yield 'late'
    })
    expect(result).toMatchObject({ status: 504, reason: 'Gateway Timeout', body: 'late' })
    expect(result.headers['x-why']).toBe('late')
  })

  test('spec 15: with an empty body the headers go at the end', async () => {
    const result = await answer((_environ, startResponse) => {
      startResponse('201 Made', [['Location', '/x']])
      return []
    })
    expect(result).toMatchObject({ status: 201, reason: 'Made', body: '', cut: false })
    expect(result.headers['content-length']).toBe('0')
  })

  test('spec 16: a second call without excInfo is an error', async () => {
    const result = await answer((_environ, startResponse) => {
      startResponse('200 OK', [])
      startResponse('201 Created', [])
      return []
    })
    expect(result.status).toBe(500)
    expect(result.log).toMatch(/startResponse was called a second time.*third argument/)
  })

  test('spec 16: with excInfo, before the headers went, it replaces', async () => {
    const result = await answer(function* (_environ, startResponse) {
      startResponse('200 OK', [['X-First', '1']])
      yield ''
      startResponse('503 Sorry', [['X-Second', '2']], new Error('reason'))
      yield 'sorry'
    })
    expect(result).toMatchObject({ status: 503, body: 'sorry' })
    expect([result.headers['x-first'], result.headers['x-second']]).toEqual([undefined, '2'])
  })

  test('spec 16: with excInfo, after the headers went, it throws excInfo', async () => {
    const reason = new Error('reason')
    let thrown: unknown
    const result = await answer(function* (_environ, startResponse) {
      startResponse('200 OK', [])
      yield 'x'
      try {
        startResponse('503 Sorry', [], reason)
      } catch (error) {
        thrown = error
      }
    })
    expect(thrown).toBe(reason)
    expect(result).toMatchObject({ status: 200, body: 'x' })
  })

  test('spec 16: a body without it is an error', async () => {
    for (const body of [['x'], []]) {
      const result = await answer(() => body)
      expect([result.status, /without having called startResponse/.test(result.log)]).toEqual([500, true])
    }
  })
})

test('spec 17: what write() is given counts as yielded, and what is yielded follows it', async () => {
  const served = await serve((_environ, startResponse) => {
    const write = startResponse('200 OK', [])
    write('a')
    write(Buffer.from('b'))
    write('')
    return ['c', 'd']
  })
  const result = await ask(served)
  expect(result).toMatchObject({ status: 200, body: 'abcd' })
  expect(result.headers['transfer-encoding']).toBe('chunked')
})

test('spec 17: write() sends at once', async () => {
  let resume: (() => boolean) | undefined
  const served = await serve(function* (environ, startResponse) {
    startResponse('200 OK', [])('written')
    resume = environ['x-wsgiorg.suspend']()
    yield ''
  })
  const client = await Raw.connect(served)
  client.send(GET)
  await client.until(/written/)
  resume?.()
  await client.until(/\r\n0\r\n\r\n$/)
})

describe('backpressure', () => {
  test('spec 18: each chunk is handed on before the next is asked for', async () => {
    const [r] = pipe()
    const buffer = new Uint8Array(4)
    const result = await answer(function* (environ, startResponse) {
      startResponse('200 OK', [])
      // One piece of memory for all chunks, as with a reused read buffer.
      for (let i = 0; i < 50; i += 1) {
        buffer.fill(65 + (i % 26))
        yield buffer
        if (i % 10 === 0) yield environ['awsgi.readable'](r, 0.001)
      }
    })
    expect(result.body).toBe(
      Array.from({ length: 50 }, (_, i) => String.fromCharCode(65 + (i % 26)).repeat(4)).join(''),
    )
  })

  test('spec 18: what was full before a suspension and drained during it delays nothing', async () => {
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [])
      for (let i = 0; i < 3; i += 1) {
        yield 'x'.repeat(500_000)
        environ['x-wsgiorg.suspend'](50)
        yield ''
      }
      yield 'end'
    })
    const { body } = await ask(served)
    expect([body.length, body.slice(-3)]).toEqual([1_500_003, 'end'])
  })

  test('spec 18: a large buffer may be used again as well', async () => {
    const buffer = new Uint8Array(200_000)
    const { bytes } = await answer(function* (_environ, startResponse) {
      startResponse('200 OK', [])
      for (let i = 0; i < 20; i += 1) {
        buffer.fill(i)
        yield buffer
      }
    })
    expect(bytes.length).toBe(20 * buffer.length)
    for (let i = 0; i < 20; i += 1)
      expect(new Set(bytes.subarray(i * buffer.length, (i + 1) * buffer.length))).toEqual(new Set([i]))
  })

  test.each([
    [
      'generator',
      (chunk: string, count: () => void): Application =>
        function* (_environ, startResponse) {
          startResponse('200 OK', [])
          for (let i = 0; i < 4000; i += 1) {
            count()
            yield chunk
          }
        },
    ],
    [
      'async generator',
      (chunk: string, count: () => void): Application =>
        async function* (_environ, startResponse) {
          startResponse('200 OK', [])
          for (let i = 0; i < 4000; i += 1) {
            count()
            yield chunk
          }
        },
    ],
  ])('spec 18: a client that does not read suspends a %s', async (_name, make) => {
    let made = 0
    const chunk = 'x'.repeat(10_000)
    const served = await serve(make(chunk, () => void (made += 1)))
    const client = await Raw.connect(served)
    client.socket.pause()
    client.send(GET)
    await sleep(200)
    const stalled = made
    await sleep(100)
    // What the kernel's buffers hold, and nothing beyond.
    expect(made).toBe(stalled)
    expect(stalled).toBeLessThan(2000)
    client.socket.resume()
    await client.until(/\r\n0\r\n\r\n$/)
    expect(made).toBe(4000)
  })
})

describe('Content-Length', () => {
  const one: Record<string, Application> = {
    array: (_environ, startResponse) => (startResponse('200 OK', []), ['größe']),
    buffer: (_environ, startResponse) => (startResponse('200 OK', []), [Buffer.from('größe')]),
    generator: function* (_environ, startResponse) {
      startResponse('200 OK', [])
      yield 'größe'
    },
    'late generator': function* (environ, startResponse) {
      yield environ['awsgi.writable'](1, 1)
      startResponse('200 OK', [])
      yield 'größe'
    },
    promise: async (_environ, startResponse) => (startResponse('200 OK', []), ['größe']),
    'async generator': async function* (_environ, startResponse) {
      await null
      startResponse('200 OK', [])
      yield 'größe'
      await null
    },
  }

  test.each(Object.entries(one))('spec 20: one chunk of a %s: its length', async (_name, application) => {
    const { body, headers } = await answer(application)
    expect([body, headers['content-length'], headers['transfer-encoding']]).toEqual(['größe', '7', undefined])
  })

  test('spec 18: what an async generator yielded is sent while it awaits something else', async () => {
    let release = (): void => {}
    const served = await serve(async function* (_environ, startResponse) {
      startResponse('200 OK', [])
      yield 'first'
      await new Promise<void>((resolve) => (release = resolve))
      yield 'second'
    })
    const client = await Raw.connect(served)
    client.send(GET)
    await client.until(/first/)
    expect(client.received).toMatch(/transfer-encoding: chunked/i)
    release()
    await client.until(/second\r\n0\r\n\r\n$/)
  })

  test('spec 20: several chunks: chunked for HTTP/1.1, and the end of the connection for 1.0', async () => {
    const served = await serve((_environ, startResponse) => (startResponse('200 OK', []), ['a', 'b']))
    const result = await ask(served)
    expect([result.body, result.headers['transfer-encoding']]).toEqual(['ab', 'chunked'])
    const old = await Raw.connect(served)
    old.send('GET / HTTP/1.0\r\n\r\n')
    const text = await old.untilClosed()
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nab$/)
    expect(text).not.toMatch(/transfer-encoding/i)
  })

  test('spec 20: HEAD has the headers of GET and no body, and so have 204 and 304', async () => {
    const served = await serve((environ, startResponse) => {
      startResponse(`${environ.QUERY_STRING || 200} X`, [])
      return ['body']
    })
    const client = await Raw.connect(served)
    for (const [method, query] of [
      ['HEAD', ''],
      ['GET', '204'],
      ['GET', '304'],
    ]) {
      client.send(`${method} /?${query} HTTP/1.1\r\nHost: x\r\n\r\n`)
    }
    client.send('GET /?299 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const [head, none, unchanged, last] = (await client.untilClosed()).split('HTTP/1.1 ').slice(1)
    expect(head).toMatch(/^200 X\r\n[^]*Content-Length: 4\r\n[^]*\r\n\r\n$/)
    expect(none).toMatch(/^204 X\r\n[^]*\r\n\r\n$/)
    expect(unchanged).toMatch(/^304 X\r\n[^]*\r\n\r\n$/)
    expect(none + (unchanged as string)).not.toMatch(/content-length|transfer-encoding/i)
    expect(last).toMatch(/^299 X\r\n[^]*\r\n\r\nbody$/)
  })

  test('spec 20: fewer bytes than the application promised abort the connection; before anything went: 500', async () => {
    const short = await serve(function* (_environ, startResponse) {
      startResponse('200 OK', [['Content-Length', '10']])
      yield 'abc'
      yield 'def'
    })
    expect(await ask(short)).toMatchObject({ status: 200, cut: true })
    expect(short.log.join('')).toMatch(/ended after 6 bytes.*Content-Length said 10/)
    const none = await answer((_environ, startResponse) => (startResponse('200 OK', [['Content-Length', '10']]), []))
    expect(none.status).toBe(500)
  })

  test('spec 20: bytes beyond what the application promised never reach the next response', async () => {
    const served = await serve(function* (environ, startResponse) {
      startResponse('200 OK', [['content-length', '3']])
      yield 'abc'
      if (environ.PATH_INFO === '/bad') yield 'HTTP/1.1 200 OK\r\n\r\n'
    })
    const client = await Raw.connect(served)
    client.send(GET + 'GET /bad HTTP/1.1\r\nHost: x\r\n\r\n')
    const text = await client.untilClosed()
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
    expect(served.log.join('')).toMatch(/more than the 3 bytes/)
  })
})

describe('headers', () => {
  test('spec 20: several lines of one name stay several, in order', async () => {
    const { headers, rawHeaders } = await answer((_environ, startResponse) => {
      startResponse('200 OK', [
        ['Set-Cookie', 'a=1'],
        ['X-One', 'é'],
        ['Set-Cookie', 'b=2'],
      ])
      return ['é']
    })
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(rawHeaders).toEqual(expect.arrayContaining(['Set-Cookie', 'X-One', 'é']))
  })

  const bad: [string, (start: StartResponse) => unknown, RegExp][] = [
    ['CR LF in a value', (start) => start('200 OK', [['X-A', 'a\r\nX-Evil: 1']]), /control character/],
    ['LF in a name', (start) => start('200 OK', [['X-A\nX-Evil', 'a']]), /name may have/],
    ['CR in the status', (start) => start('200 OK\r\nX-Evil: 1', []), /control characters/],
    ['NUL in a value', (start) => start('200 OK', [['X-Evil', '\0']]), /control character/],
    ['a tab in a value', (start) => start('200 OK', [['X-Evil', 'a\tb']]), /control character/],
    ['an empty name', (start) => start('200 OK', [['', 'X-Evil']]), /name may have/],
    ['a colon in a name', (start) => start('200 OK', [['X-Evil:', 'a']]), /name may have/],
    ['a character beyond Latin-1', (start) => start('200 OK', [['X-Evil', '€']]), /U\+00FF/],
    ['a number as value', (start) => start('200 OK', [['X-Evil', 1 as never]]), /String\(\)/],
    ['an object as headers', (start) => start('200 OK', { 'X-Evil': '1' } as never), /Object\.entries/],
    ['no headers', (start) => start('200 OK', undefined as never), /array of \[name, value\] pairs/],
    ['strings as headers', (start) => start('200 OK', ['X-Evil: 1'] as never), /pair/],
    ['a status without reason', (start) => start('200', []), /three digits/],
    ['a numeric status', (start) => start(200 as never, []), /must be a string/],
    ['an informational status', (start) => start('100 Continue', []), /from 200 on/],
    ['a wrong Content-Length', (start) => start('200 OK', [['Content-Length', '-1']]), /number of bytes/],
    [
      'two Content-Lengths',
      (start) =>
        start('200 OK', [
          ['Content-Length', '1'],
          ['content-length', '1'],
        ]),
      /twice/,
    ],
    ...['Connection', 'keep-alive', 'Transfer-Encoding', 'UPGRADE', 'TE', 'Trailer', 'Proxy-Connection'].map(
      (name): [string, (start: StartResponse) => unknown, RegExp] => [
        `the hop-by-hop header ${name}`,
        (start) => start('200 OK', [[name, 'X-Evil']]),
        /about the connection/,
      ],
    ),
  ]
  test.each(bad)('spec 20: %s is an error, and never on the wire', async (_name, start, message) => {
    const served = await serve((_environ, startResponse) => {
      start(startResponse)
      return ['x']
    })
    const client = await Raw.connect(served)
    client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const text = await client.untilClosed()
    expect(text).toMatch(/^HTTP\/1\.1 500 /)
    expect(text).not.toMatch(/X-Evil/i)
    expect(served.log.join('')).toMatch(message)
  })
})

describe('wsgi.file_wrapper', () => {
  test('spec 22: sends a file from its descriptor, which stays open', async () => {
    const path = join(temporaryDirectory(), 'file')
    writeFileSync(path, 'x'.repeat(100_000))
    const fd = own(openSync(path, 'r'))
    const result = await answer((environ, startResponse) => {
      startResponse('200 OK', [])
      return environ['wsgi.file_wrapper'](fd, 1000)
    })
    expect(result.body.length).toBe(100_000)
    const { isOpen } = await import('./helpers/libc.js')
    expect(isOpen(fd)).toBe(true)
  })

  test('spec 22: sends what an object reads, and closes the object', async () => {
    const calls: unknown[] = []
    const blocks = ['a', Buffer.from('b'), '']
    const result = await answer((environ, startResponse) => {
      startResponse('200 OK', [])
      return environ['wsgi.file_wrapper']({
        read: (size) => (calls.push(size), blocks.shift()),
        close: () => calls.push('close'),
      })
    })
    expect([result.body, calls]).toEqual(['ab', [65_536, 65_536, 65_536, 'close']])
  })
})
