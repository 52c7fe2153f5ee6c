import { readdirSync, readlinkSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { statistics } from 'fdevent'
import type { Application, Environ, GatewayOptions } from 'fdevent/wsgi'
import { describe, expect, test } from 'vitest'
import { eventually } from './helpers/owned.js'
import { ask, Raw, serve, sleep } from './helpers/wsgi.js'

const POST = (length: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`

/** What `read` returns of a body, as text. */
async function reading(
  body: string,
  read: (environ: Environ) => unknown,
  options: GatewayOptions = {},
): Promise<unknown> {
  const served = await serve((environ, startResponse) => {
    const value = read(environ)
    startResponse('200 OK', [])
    return [JSON.stringify(value, (_key, one) => (one?.type === 'Buffer' ? Buffer.from(one).toString() : one))]
  }, options)
  const answer = await ask(served, '/', { method: 'POST', body })
  expect(answer.status, served.log.join('')).toBe(200)
  return JSON.parse(answer.body)
}

const deleted = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /fdevent-.*deleted/.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  })

describe.each([
  ['in memory', 1_000_000],
  ['in a temporary file', 0],
])('a body %s', (_name, spoolAbove) => {
  const read = (body: string, act: (environ: Environ) => unknown) => reading(body, act, { spoolAbove })

  test('spec 12: has arrived as a whole before the application starts', async () => {
    const body = 'line\n'.repeat(60_000)
    expect(await read(body, (environ) => environ['wsgi.input'].read().toString() === body)).toBe(true)
  })

  test('spec 14: read(size) gives what there is and at the end nothing', async () => {
    expect(
      await read('abcdef', ({ 'wsgi.input': input }) => [
        input.read(2),
        input.read(0),
        input.read(10),
        input.read(3),
        input.read(),
      ]),
    ).toEqual(['ab', '', 'cdef', '', ''])
  })

  test('spec 14: readline and readlines', async () => {
    expect(
      await read('a\nbcd\n\ne\nf\ng', ({ 'wsgi.input': input }) => [
        input.readline(),
        input.readline(2),
        input.readline(),
        input.readline(-1),
        input.readlines(1),
        input.readlines(),
        input.readline(),
      ]),
    ).toEqual(['a\n', 'bc', 'd\n', '\n', ['e\n'], ['f\n', 'g'], ''])
  })

  test('spec 14: iteration gives lines', async () => {
    expect(await read('a\nb\nc', ({ 'wsgi.input': input }) => [...input])).toEqual(['a\n', 'b\n', 'c'])
  })

  test('spec 14: lines are found across pieces', async () => {
    const line = `${'x'.repeat(200_000)}\n`
    expect(await read(line + line, ({ 'wsgi.input': input }) => [...input].map(({ length }) => length))).toEqual([
      line.length,
      line.length,
    ])
  })

  test('spec 13: both inputs share the body; mixing them loses and repeats nothing', async () => {
    const body = Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join('')
    const same = await read(body, (environ) => {
      const { 'wsgi.input': input, 'x-wsgiorg.async.input': v2, 'awsgi.input': v1 } = environ
      const pieces: Buffer[] = []
      for (;;) {
        const round = [input.read(7), v2.read(5), v1.recv(3), input.readline()]
        if (round.every(({ length }) => length === 0)) return Buffer.concat(pieces).toString() === body
        pieces.push(...round)
      }
    })
    expect(same).toBe(true)
  })
})

test('spec 12: the temporary file has no name, mode 0600, and is closed at the end', async () => {
  const modes: string[] = []
  const { fstatSync } = await import('node:fs')
  await reading(
    'x'.repeat(5000),
    () => {
      for (const fd of deleted()) modes.push((fstatSync(Number(fd)).mode & 0o777).toString(8))
      return null
    },
    { spoolAbove: 4999 },
  )
  expect(modes).toEqual(['600'])
  await eventually(deleted).toEqual([])
})

test('spec 12: a body of spoolAbove bytes stays in memory', async () => {
  expect(await reading('x'.repeat(5000), deleted, { spoolAbove: 5000 })).toEqual([])
})

test('spec 12: a client that leaves in the middle of its body starts no application and leaves no file', async () => {
  let started = 0
  const served = await serve(
    () => {
      started += 1
      return []
    },
    { spoolAbove: 10 },
  )
  const client = await Raw.connect(served)
  client.send(POST(100_000) + 'x'.repeat(50_000))
  await eventually(() => deleted().length).toBe(1)
  client.destroy()
  await eventually(deleted).toEqual([])
  expect([started, served.log]).toEqual([0, []])
})

describe("input: 'streaming'", () => {
  const streaming = { input: 'streaming' } as const
  const router: Application = function* (environ, startResponse) {
    const input = environ['x-wsgiorg.async.input']
    startResponse('200 OK', [])
    for (;;) {
      yield environ['x-wsgiorg.async.readable'](input)
      const piece = input.read(4096)
      if (piece.length === 0) break
      yield piece.toString().toUpperCase()
    }
    yield '.'
  }

  test('spec 11: the application starts before the body, and answers piece by piece', async () => {
    const client = await Raw.connect(await serve(router, streaming))
    client.send(POST(6))
    client.send('abc')
    await client.until(/ABC/)
    client.send('def')
    await client.until(/DEF[^]*\.\r\n0\r\n\r\n$/)
  })

  test('spec 11: a read gives at most size bytes of at most one receive, and nothing only at the end', async () => {
    const body = 'x'.repeat(300_000)
    const sizes: number[] = []
    const served = await serve(function* (environ, startResponse) {
      const input = environ['awsgi.input']
      for (let size = 1; size > 0;) {
        yield environ['awsgi.readable'](input)
        size = input.recv(4096).length
        sizes.push(size)
      }
      startResponse('200 OK', [])
    }, streaming)
    await ask(served, '/', { method: 'POST', body })
    expect(Math.max(...sizes)).toBe(4096)
    expect(sizes.indexOf(0)).toBe(sizes.length - 1)
    expect(sizes.reduce((sum, size) => sum + size)).toBe(body.length)
  })

  test('spec 11: reading when nothing has arrived is an error that says what to do', async () => {
    const served = await serve((environ) => [environ['x-wsgiorg.async.input'].read(1)], streaming)
    const client = await Raw.connect(served)
    client.send(POST(3))
    await client.until(/^HTTP\/1.1 500 /)
    expect(served.log.join('')).toMatch(/no data has arrived yet.*readable/s)
  })

  test('spec 11: a wait for input can time out', async () => {
    const served = await serve(function* (environ, startResponse) {
      const ready = yield environ['x-wsgiorg.async.readable'](environ['x-wsgiorg.async.input'], 0.02)
      startResponse('200 OK', [])
      yield `${ready} ${environ['awsgi.timeout']}`
    }, streaming)
    const client = await Raw.connect(served)
    client.send(POST(3))
    await client.until(/false true/)
  })

  test('spec 11: fdevent.select waits for input and descriptors at once', async () => {
    const { pipe } = await import('./helpers/owned.js')
    const [r] = pipe()
    const served = await serve(function* (environ, startResponse) {
      const input = environ['awsgi.input']
      const { readable } = yield environ['fdevent.select']([r, input], [], [], 10)
      startResponse('200 OK', [])
      yield readable.map((one: unknown) => one === input).join()
    }, streaming)
    const client = await Raw.connect(served)
    client.send(POST(3))
    await eventually(() => statistics().waits).toBe(1)
    client.send('abc')
    await client.until(/\r\ntrue/)
  })

  test('spec 12: wsgi.input throws instead of blocking, takes nothing, and gives what has arrived', async () => {
    const results: unknown[] = []
    const served = await serve(function* (environ, startResponse) {
      const input = environ['wsgi.input']
      const attempt = (read: () => Buffer): void => {
        try {
          results.push(read().toString())
        } catch (error) {
          results.push((error as { code: string }).code)
        }
      }
      attempt(() => input.read())
      yield environ['awsgi.readable'](environ['awsgi.input'])
      attempt(() => input.read(2))
      attempt(() => input.read())
      attempt(() => input.readline())
      attempt(() => input.read(3))
      startResponse('200 OK', [])
      yield 'first'
      yield environ['awsgi.readable'](environ['awsgi.input'])
      attempt(() => input.readline())
      attempt(() => input.read())
      yield 'second'
    }, streaming)
    const client = await Raw.connect(served)
    client.send(POST(9))
    await sleep(20)
    client.send('abcde')
    await client.until(/first/)
    client.send('f\ngh')
    await client.until(/second/)
    const blocked = 'ERR_WSGI_RULE'
    expect(results).toEqual([blocked, 'ab', blocked, blocked, 'cde', 'f\n', 'gh'])
  })

  test('spec 12: `for await` over wsgi.input waits for the pieces', async () => {
    const served = await serve(async function* (environ, startResponse) {
      startResponse('200 OK', [])
      for await (const piece of environ['wsgi.input']) yield `<${piece.toString()}>`
    }, streaming)
    const client = await Raw.connect(served)
    client.send(POST(4))
    client.send('ab')
    await client.until(/<ab>/)
    client.send('cd')
    await client.until(/<cd>[^]*\r\n0\r\n\r\n$/)
  })

  test('spec 12: an application that does not read makes the client wait', async () => {
    const served = await serve(function* (environ, startResponse) {
      yield environ['x-wsgiorg.fdevent.readable'](environ['awsgi.input'])
      environ['x-wsgiorg.suspend'](100)
      yield ''
      const { bytesRead } = environ['fdevent.request'].socket
      startResponse('200 OK', [])
      yield String(bytesRead)
    }, streaming)
    const answer = await ask(served, '/', { method: 'POST', body: Buffer.alloc(50_000_000) })
    expect(Number(answer.body)).toBeLessThan(1_000_000)
  })

  test('spec 13: a body whose rest nobody reads does not disturb the next request of the connection', async () => {
    const served = await serve((_environ, startResponse) => {
      startResponse('200 OK', [])
      return ['done']
    }, streaming)
    const client = await Raw.connect(served)
    client.send(POST(200_000) + 'x'.repeat(200_000) + 'GET /next HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.until(/done[^]*done/)
  })
})

test('spec 13: the v2 input refuses when middleware has replaced wsgi.input, which it would bypass', async () => {
  const served = await serve((environ, startResponse) => {
    environ['wsgi.input'] = { read: () => Buffer.from('other') } as never
    startResponse('200 OK', [])
    return [environ['x-wsgiorg.async.input'].read(5)]
  })
  expect((await ask(served, '/', { method: 'POST', body: 'abcde' })).status).toBe(500)
  expect(served.log.join('')).toMatch(/replaced environ\['wsgi\.input'\]/)
})

describe('spec 14: what HTTP does to bodies', () => {
  const echo: Application = (environ, startResponse) => {
    const body = environ['wsgi.input'].read().toString()
    startResponse('200 OK', [])
    return [`[${body}] ${environ.CONTENT_LENGTH} ${environ.HTTP_TRANSFER_ENCODING}`]
  }

  test('spec 14: chunked bodies are decoded, and CONTENT_LENGTH is the real length', async () => {
    const client = await Raw.connect(await serve(echo))
    client.send('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await setImmediate()
    client.send('4;x=y\r\ndefg\r\n0\r\n\r\n')
    await client.until(/\[abcdefg\] 7 undefined/)
  })

  test('spec 14: Expect: 100-continue is answered', async () => {
    const client = await Raw.connect(await serve(echo))
    client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n')
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/)
    client.send('abc')
    await client.until(/\[abc\] 3/)
  })

  test("spec 14: as a listener of 'checkContinue' too, and a body too long is refused before it is sent", async () => {
    const served = await serve(echo, { maxBody: 10 })
    served.server.on('checkContinue', served.server.listeners('request')[0] as () => void)
    const head = (length: number) =>
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`
    const client = await Raw.connect(served)
    client.send(head(3))
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/)
    client.send('abc')
    await client.until(/\[abc\] 3/)
    const other = await Raw.connect(served)
    other.send(head(11))
    await other.until(/^HTTP\/1.1 413 /)
    expect(other.received).not.toContain('100 Continue')
  })

  test('spec 14: a body announced too long is answered with 413, which the client gets to see', async () => {
    let started = 0
    const served = await serve(
      () => {
        started += 1
        return []
      },
      { maxBody: 1000 },
    )
    const client = await Raw.connect(served)
    client.send(POST(5_000_000) + 'x'.repeat(5_000_000))
    const text = await client.untilClosed()
    expect(text).toMatch(/^HTTP\/1.1 413 Content Too Large|^HTTP\/1.1 413 Payload Too Large/)
    expect(text).toMatch(/connection: close/i)
    expect([started, served.log]).toEqual([0, []])
  })

  test.each(['buffered', 'streaming'] as const)(
    'spec 14: a chunked body that becomes too long, %s: 413',
    async (input) => {
      const served = await serve(
        function* (environ, startResponse) {
          const body = environ['awsgi.input']
          for (let size = 1; size > 0;) {
            yield environ['awsgi.readable'](body)
            size = body.recv().length
          }
          startResponse('200 OK', [])
        },
        { maxBody: 1000, input },
      )
      const client = await Raw.connect(served)
      client.send('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
      for (let i = 0; i < 20; i += 1) client.send(`64\r\n${'x'.repeat(100)}\r\n`)
      await client.until(/^HTTP\/1.1 413 /)
      client.send('0\r\n\r\n')
      await client.untilClosed()
    },
  )

  test('spec 14: a body of maxBody bytes is accepted', async () => {
    expect(await reading('x'.repeat(1000), ({ CONTENT_LENGTH }) => CONTENT_LENGTH, { maxBody: 1000 })).toBe('1000')
  })
})
