import { createHash, randomBytes } from 'node:crypto'
import { statistics } from 'fdevent'
import { expect, test } from 'vitest'
import { type Chunk } from 'fdevent/wsgi'
import { type Example, importExample, serveExample } from './helpers/examples.js'
import { eventually } from './helpers/owned.js'
import { ask, Raw, serve } from './helpers/wsgi.js'

test('bodies of every size are counted and hashed', async () => {
  const served = await serveExample('router')
  for (const size of [0, 1, 4095, 4096, 4097, 300_000, 5_000_000]) {
    const body = randomBytes(size)
    const asking = { method: 'PUT', body }
    const lines = body.filter((byte) => byte === 10).length
    expect((await ask(served, '/count', asking)).body).toBe(`${size} bytes, ${lines} lines\n`)
    expect((await ask(served, '/sha256', asking)).body).toBe(`${createHash('sha256').update(body).digest('hex')}\n`)
    expect((await ask(served, '/echo', asking)).bytes.equals(body)).toBe(true)
  }
  expect((await ask(served, '/elsewhere', { method: 'PUT', body: 'x' })).status).toBe(404)
  expect(served.log).toEqual([])
})

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

test('it works while the body arrives: each part is back before the next is sent', async () => {
  const served = await serveExample('router')
  const client = await Raw.connect(served)
  client.send('POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
  await eventually(() => statistics().waits).toBe(1)
  for (const part of ['one', 'two', 'three']) {
    client.send(chunk(part))
    await client.until(new RegExp(`${chunk(part)}$`))
  }
  client.send('0\r\n\r\n')
  await client.until(/\r\n0\r\n\r\n$/)
  expect(served.log).toEqual([])
})

test('pieces are of 4,096 bytes at most', async () => {
  const { default: router, options } = (await importExample('router')) as Example
  const sizes: number[] = []
  const served = await serve(function* (environ, startResponse) {
    const pieces = (router(environ, startResponse) as Generator<Chunk>)[Symbol.iterator]()
    for (let step = pieces.next(); step.done !== true;) {
      sizes.push(step.value.length)
      step = pieces.next(yield step.value)
    }
  }, options)
  const body = 'x'.repeat(50_000)
  expect((await ask(served, '/echo', { method: 'POST', body })).body).toBe(body)
  expect(Math.max(...sizes)).toBe(4096)
  expect(sizes.reduce((sum, size) => sum + size)).toBe(50_000)
  expect(served.log).toEqual([])
})

test('more bytes than it could keep: 200 MB through /count, in little memory', { timeout: 60_000 }, async () => {
  const served = await serveExample('router')
  const client = await Raw.connect(served)
  client.send('POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n')
  const block = Buffer.alloc(1_000_000)
  const before = process.memoryUsage().rss
  for (let i = 0; i < 200; i += 1) {
    if (!client.socket.write(block)) await new Promise((resolve) => client.socket.once('drain', resolve))
  }
  await client.until(/200000000 bytes, 0 lines/)
  expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
  expect(served.log).toEqual([])
})

test(
  'a client that falls silent: 408, or, if the answer has begun, a cut connection',
  { timeout: 30_000 },
  async () => {
    const served = await serveExample('router')
    const clients = await Promise.all(
      ['/count', '/echo'].map(async (path) => {
        const client = await Raw.connect(served)
        client.send(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc`)
        return client
      }),
    )
    const [counted, echoed] = clients as [Raw, Raw]
    await expect.poll(() => counted.received, { timeout: 20_000 }).toMatch(/408 Request Timeout[^]*too slow/)
    await echoed.untilClosed()
    expect(echoed.received).toMatch(/200 OK[^]*abc\r\n$/)
    expect(served.log).toEqual([expect.stringMatching(/no data for 5 seconds/)])
  },
)
