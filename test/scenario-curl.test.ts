import { readdirSync } from 'node:fs'
import http from 'node:http'
import { statistics } from 'fdevent'
import koffi from 'koffi'
import { afterEach, expect, test } from 'vitest'
import { serveExample } from './helpers/examples.js'
import { eventually } from './helpers/owned.js'
import { freePort, missing } from './helpers/servers.js'
import { ask, listen, Raw, sleep } from './helpers/wsgi.js'

function installed(): boolean {
  try {
    koffi.load(process.platform === 'darwin' ? 'libcurl.4.dylib' : 'libcurl.so.4')
    return true
  } catch {
    return false
  }
}

/** What the proxies ask: /fast, /hasty, /slow/SECONDS, /held, /cut, /endless, /large. */
async function upstream() {
  const asked: string[] = []
  let release: (() => void) | undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  let [sent, open] = [0, 0]
  const server = http.createServer(async (req, res) => {
    const { url = '' } = req
    asked.push(url)
    open += 1
    let drained: (() => void) | undefined
    res.on('drain', () => drained?.())
    res.on('close', () => {
      open -= 1
      drained?.()
    })
    const [, name, seconds] = url.split('/')
    if (name === 'slow') await sleep(Number(seconds) * 1000)
    if (name === 'held') await released
    if (name === 'hasty') res.writeHead(418, { 'Content-Type': 'text/x-tea' })
    if (name === 'cut') {
      res.writeHead(200, { 'Content-Length': 1000 })
      res.write('half of it')
      await sleep(100)
      return void res.destroy()
    }
    if (name === 'endless') {
      for (const piece = Buffer.alloc(65_536); !res.destroyed;) {
        sent += piece.length
        if (!res.write(piece)) await new Promise((resolve) => (drained = resolve as () => void))
      }
    }
    if (name === 'large') return void res.end(Buffer.alloc(3_000_000, 'x'))
    res.end(`this is ${url}`)
  })
  process.env['UPSTREAM'] = `http://127.0.0.1:${await listen(server)}`
  return { asked, sent: () => sent, open: () => open, release: release as unknown as () => void }
}

if (!missing('libcurl', installed())) {
  afterEach(() => {
    // The functions that libcurl calls are given back with the last transfer.
    expect(koffi.stats().callbacks).toBe(0)
  })

  test("a fast upstream: status, type and body are passed on, and only path and query are the client's to say", async () => {
    const { asked } = await upstream()
    const served = await serveExample('proxy')
    expect(await ask(served, '/fast?a=b%2Fc')).toMatchObject({ status: 200, body: 'this is /fast?a=b%2Fc' })
    const hasty = await ask(served, '/hasty')
    expect(hasty).toMatchObject({ status: 418, reason: "I'm a Teapot", headers: { 'content-type': 'text/x-tea' } })
    expect((await ask(served, '/large')).bytes.equals(Buffer.alloc(3_000_000, 'x'))).toBe(true)
    await ask(served, 'http://elsewhere.example/absolute')
    await ask(served, '//elsewhere.example/relative')
    expect(asked).toEqual(['/fast?a=b%2Fc', '/hasty', '/large', '/absolute', '/relative'])
    expect((await ask(served, '/', { method: 'POST', body: 'x' })).status).toBe(405)
    expect(served.log).toEqual([])
  })

  test('a slow upstream that is in time, and one that is not: a late 504, and the upstream is let go', async () => {
    const { open } = await upstream()
    const served = await serveExample('proxy')
    expect(await ask(served, '/slow/0.3')).toMatchObject({ status: 200, body: 'this is /slow/0.3' })
    const from = performance.now()
    expect(await ask(served, '/slow/5')).toMatchObject({ status: 504, body: 'the upstream takes too long\n' })
    const seconds = (performance.now() - from) / 1000
    expect(seconds).toBeGreaterThanOrEqual(2)
    expect(seconds).toBeLessThan(4)
    await eventually(open).toBe(0)
    expect(served.log).toEqual([])
  })

  test('a dead upstream: 502', async () => {
    const served = await serveExample('proxy')
    process.env['UPSTREAM'] = `http://127.0.0.1:${await freePort()}`
    expect(await ask(served)).toMatchObject({ status: 502, body: expect.stringMatching(/connect/) })
    expect(served.log).toEqual([])
  })

  test('an upstream that dies in the middle: what had come is passed on, and is not taken for the whole', async () => {
    await upstream()
    const served = await serveExample('proxy')
    const { status, body, cut } = await ask(served, '/cut')
    expect([status, body, cut]).toEqual([200, 'half of it', true])
    expect(served.log).toEqual([expect.stringMatching(/GET "\/cut".*Transferred a partial file/s)])
  })

  test('a client that does not read holds the upstream up, and one that leaves lets it go', async () => {
    const { sent, open } = await upstream()
    const served = await serveExample('proxy')
    const client = await Raw.connect(served)
    client.socket.pause()
    client.send('GET /endless HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually(sent).toBeGreaterThan(0)
    // Until all buffers on the way are full.
    let before = -1
    await expect.poll(() => before === (before = sent()), { interval: 300, timeout: 10_000 }).toBe(true)
    expect(open()).toBe(1)
    client.destroy()
    await eventually(open).toBe(0)
    expect(statistics().waits).toBe(0)
  })

  test('five URLs in parallel are there when the slowest of them is', async () => {
    await upstream()
    const served = await serveExample('parallel')
    const paths = ['/slow/1.0', '/fast', '/slow/0.8', '/slow/0.9', '/large']
    const from = performance.now()
    const { body } = await ask(served, `/?${paths.map((path) => `path=${path}`).join('&')}`)
    const seconds = (performance.now() - from) / 1000
    console.log(`five URLs, 2.7 s one after the other: ${seconds.toFixed(2)} s`)
    const lines = body.trim().split('\n')
    expect(lines).toHaveLength(5)
    expect(lines.slice(0, 2).join()).toMatch(/ \/fast: 200, 13 bytes/)
    expect(lines.slice(0, 2).join()).toMatch(/ \/large: 200, 3000000 bytes/)
    expect(lines.slice(2).map((line) => line.replace(/^.* s /, ''))).toEqual([
      '/slow/0.8: 200, 17 bytes',
      '/slow/0.9: 200, 17 bytes',
      '/slow/1.0: 200, 17 bytes',
    ])
    expect(seconds).toBeGreaterThanOrEqual(1)
    expect(seconds).toBeLessThan(2.5)
    expect(served.log).toEqual([])
  })

  test('a hundred proxied requests at once, of which half leave, keep no descriptor', async () => {
    const { open, release } = await upstream()
    const served = await serveExample('proxy')
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    await ask(served, '/fast')
    const before = descriptors()
    const clients = await Promise.all(Array.from({ length: 100 }, () => Raw.connect(served)))
    for (const client of clients) client.send('GET /held HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually(open).toBe(100)
    for (const client of clients.slice(50)) client.destroy()
    await eventually(open).toBe(50)
    release()
    for (const client of clients.slice(0, 50)) await client.until(/200 OK[^]*this is \/held/)
    for (const client of clients) client.destroy()
    await eventually(descriptors).toBeLessThanOrEqual(before)
    expect(served.log).toEqual([])
  })
}
