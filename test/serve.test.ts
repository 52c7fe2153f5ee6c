import http from 'node:http'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { app, Command } from './helpers/serve.js'
import { ask, Raw, sleep } from './helpers/wsgi.js'

const portOf = (url: string): number => Number(new URL(url).port)
const text = async (url: string): Promise<string> => (await fetch(url)).text()

/** A client that gets its answer in full, or says that it did not. */
const finish = async (url: string): Promise<string> => {
  try {
    return await text(url)
  } catch {
    return 'cut off'
  }
}

test('serves the default export on a free port of loopback, and says where', async () => {
  const served = new Command([app('app.mjs'), '--port', 0])
  const url = await served.url()
  expect(served.stdout).toBe(`fdevent-serve: ${app('app.mjs')} on ${url}\n`)
  expect(await text(url)).toBe(`${served.child.pid} false`)
  expect(await text(`${url}/server`)).toBe(`127.0.0.1 ${portOf(url)}`)
})

test('serves an export by name, with the options that stand beside it; the command line has the last word', async () => {
  const post = { method: 'POST', body: 'eleven char' }
  const byModule = portOf(await new Command([app('named.cjs'), '--port', 0]).url())
  expect(await ask(byModule, '/', post)).toMatchObject({ status: 413 })
  expect(await ask(byModule, '/', { ...post, body: 'ten chars.' })).toMatchObject({ status: 200, body: 'ten chars.' })
  const byCommand = portOf(await new Command([app('named.cjs'), '--port', 0, '--max-body', 11]).url())
  expect(await ask(byCommand, '/', post)).toMatchObject({ status: 200, body: 'eleven char' })
})

test('a client that asks first is told that its body is too long before it sends it', async () => {
  const port = portOf(await new Command([app('named.cjs'), '--port', 0]).url())
  const client = await Raw.connect({ port })
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n')
  await client.until(/^HTTP\/1\.1 413 /)
})

const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))
if (!hasIPv6) console.warn('\n*** NOT RUN: fdevent-serve on IPv6, because this machine has no ::1 ***\n')
test.runIf(hasIPv6).each(['::1', '[::1]'])('listens on the IPv6 address %s', async (host) => {
  for (const workers of [1, 2]) {
    const url = await new Command([app('app.mjs'), '--host', host, '--port', 0, '--workers', workers]).url()
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect(await text(`${url}/server`)).toBe(`::1 ${portOf(url)}`)
  }
})

test.each(['SIGTERM', 'SIGINT'] as const)('%s: idle connections close, requests under way finish', async (signal) => {
  const served = new Command([app('app.mjs'), '--port', 0])
  const url = await served.url()
  const port = portOf(url)
  const agent = new http.Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  await ask(port, '/', { agent })
  const idle = Object.values(agent.freeSockets)[0]?.[0] as net.Socket
  const idleClosed = new Promise((resolve) => idle.once('close', resolve))
  const waiting = finish(`${url}/wait?1000`)
  const late = ask(port, '/slowly?1000', { headers: { Connection: 'keep-alive' } })
  await sleep(300)

  served.child.kill(signal)
  await idleClosed
  expect(served.code).toBeNull()
  await expect(fetch(url)).rejects.toThrow()
  expect(await waiting).toBe('suspended and resumed')
  expect(await late).toMatchObject({ body: 'the end', cut: false, headers: { connection: 'close' } })
  await served.ended
  expect(served).toMatchObject({ code: 0, signal: null, stderr: '' })
})

test('what has not finished when the grace period is over is closed, and its finally runs to its end', async () => {
  const served = new Command([app('app.mjs'), '--port', 0, '--grace', 0.5])
  const url = await served.url()
  const clients = [finish(`${url}/wait?60000`), finish(`${url}/wait?600000`)]
  await sleep(200)
  const from = performance.now()
  served.child.kill('SIGTERM')
  await served.ended
  expect(performance.now() - from).toBeGreaterThan(490)
  expect(await Promise.all(clients)).toEqual(['cut off', 'cut off'])
  expect(served).toMatchObject({ code: 0, signal: null, stderr: '' })
  expect(served.stdout.match(/^closed$/gm)).toHaveLength(2)
  expect(served.stdout.match(/^closed for good$/gm)).toHaveLength(2)
})

test('a response that is complete but not yet taken is not cut off', async () => {
  const SIZE = 20_000_000
  const served = new Command([app('app.mjs'), '--port', 0])
  const client = await Raw.connect({ port: portOf(await served.url()) })
  client.send(`GET /large?${SIZE} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await client.until(/^HTTP\/1\.1 200 /)
  client.socket.pause()
  await sleep(100)
  served.child.kill('SIGTERM')
  await sleep(300)
  expect(served.code).toBeNull()
  client.socket.resume()
  const received = await client.untilClosed()
  expect(received.slice(received.indexOf('\r\n\r\n')).match(/x/g)).toHaveLength(SIZE)
  await served.ended
  expect(served.code).toBe(0)
})

test.each([1, 2])('a second signal ends it at once (%d processes)', async (workers) => {
  const served = new Command([app('app.mjs'), '--port', 0, '--grace', 1000, '--workers', workers])
  const url = await served.url()
  const client = finish(`${url}/wait?600000`)
  await sleep(200)
  served.child.kill('SIGINT')
  await sleep(300)
  expect(served.code).toBeNull()
  served.child.kill('SIGINT')
  await served.ended
  expect(served.code).toBe(130)
  expect(await client).toBe('cut off')
})
