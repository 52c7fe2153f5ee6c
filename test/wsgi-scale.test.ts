import { readdirSync } from 'node:fs'
import { statistics } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, pipe, turns } from './helpers/owned.js'
import { Raw, serve, sleep } from './helpers/wsgi.js'

const descriptors = (): number => readdirSync('/proc/self/fd').length

async function heapUsed(): Promise<number> {
  for (let i = 0; i < 5; i += 1) {
    await turns(2)
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed
}

test('spec 23: 10,000 requests suspended at once on one descriptor are woken together, none is lost, and nothing stays', async () => {
  const [CONNECTIONS, EACH] = [200, 50]
  const [r, w] = pipe()
  let closed = 0
  const served = await serve(function* (environ, startResponse) {
    try {
      const ready = yield environ['x-wsgiorg.fdevent.readable'](r, 60)
      startResponse('200 OK', [])
      yield `<${environ.QUERY_STRING} ${ready}>`
    } finally {
      closed += 1
    }
  })
  const round = async (): Promise<void> => {
    closed = 0
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => Raw.connect(served)))
    for (const [i, client] of clients.entries()) {
      client.send(Array.from({ length: EACH }, (_, j) => `GET /?${i}.${j} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
    }
    await eventually(() => statistics().waits).toBe(CONNECTIONS * EACH)
    c.write(w)
    await eventually(() => closed).toBe(CONNECTIONS * EACH)
    for (const [i, client] of clients.entries()) {
      await client.until(new RegExp(`<${i}\\.${EACH - 1} true>`))
      expect(client.received.match(/<\d+\.\d+ true>/g)).toEqual(
        Array.from({ length: EACH }, (_, j) => `<${i}.${j} true>`),
      )
      client.received = ''
      client.destroy()
    }
    c.read(r)
    await eventually(() => clients.every((client) => client.closed)).toBe(true)
    expect(statistics().waits).toBe(0)
  }
  // The first round grows what stays grown, code for one.
  await round()
  const [before, open] = [await heapUsed(), descriptors()]
  await round()
  await eventually(descriptors).toBeLessThanOrEqual(open)
  expect((await heapUsed()) - before).toBeLessThan(4_000_000)
}, 60_000)

test('spec 19: 1,000 clients that leave at random moments leave no descriptor and no wait', async () => {
  const [r] = pipe()
  let started = 0
  let ended = 0
  const served = await serve(
    function* (environ, startResponse) {
      started += 1
      try {
        startResponse('200 OK', [])
        yield 'x'.repeat(Number(environ.QUERY_STRING))
        yield environ['x-wsgiorg.fdevent.readable'](r, environ.PATH_INFO === '/short' ? 0.002 : null)
        environ['x-wsgiorg.suspend'](environ.PATH_INFO === '/short' ? 1 : null)
        yield ''
        for (let i = 0; i < 100; i += 1) yield 'y'.repeat(10_000)
      } finally {
        ended += 1
      }
    },
    { spoolAbove: 1000 },
  )
  const random = (limit: number): number => Math.floor(Math.random() * limit)
  const leave = async (): Promise<void> => {
    const client = await Raw.connect(served)
    const path = ['/short', '/long'][random(2)]
    const body = 'b'.repeat(random(5000))
    const text = `POST ${path}?${random(50_000)} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    client.send(random(2) === 0 ? text : text.slice(0, random(text.length)))
    if (random(3) === 0) client.socket.pause()
    await sleep(random(40))
    if (random(2) === 0) client.socket.resetAndDestroy()
    else client.destroy()
    await client.untilClosed()
  }
  const before = descriptors()
  for (let i = 0; i < 20; i += 1) await Promise.all(Array.from({ length: 50 }, leave))
  await eventually(() => statistics().waits).toBe(0)
  await eventually(() => ended).toBe(started)
  expect(started).toBeGreaterThan(100)
  await eventually(descriptors).toBeLessThanOrEqual(before)
  expect(served.log).toEqual([])
}, 60_000)
