import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { leave, serveExample } from './helpers/examples.js'
import { eventually, fifo, openPath } from './helpers/owned.js'
import { ask, GET, Raw, type Served } from './helpers/wsgi.js'

async function serveFifo(): Promise<{ path: string; served: Served }> {
  const path = (process.env['FIFO'] = fifo())
  onTestFinished(() => {
    delete process.env['FIFO']
  })
  return { path, served: await serveExample('fifo') }
}

async function tailing(served: Served): Promise<Raw> {
  const client = await Raw.connect(served)
  client.send(GET)
  await client.until(/--- listening/)
  return client
}

test('what anybody writes to the fifo is streamed, also after its last writer has left', async () => {
  const { path, served } = await serveFifo()
  const client = await tailing(served)
  for (const line of ['one', 'two', 'three']) {
    const fd = openSync(path, constants.O_WRONLY)
    writeSync(fd, `${line}\n`)
    closeSync(fd)
    await client.until(new RegExp(`\r\n${line}\n\r\n`))
  }
  expect(client.closed).toBe(false)
  await leave(client)
  expect(served.log).toEqual([])
})

test('what is posted comes out, byte for byte, though it is far more than a fifo holds', async () => {
  const { served } = await serveFifo()
  const client = await tailing(served)
  const body = Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join('')
  expect(await ask(served, '/', { method: 'POST', body })).toMatchObject({
    status: 200,
    body: `${body.length} bytes written\n`,
  })
  const arrived = (): string => client.received.replace(/^[^]*?\r\n\r\n/, '').replace(/[\da-f]+\r\n([^]*?)\r\n/g, '$1')
  await eventually(arrived).toBe(`--- listening\n${body}`)
  await leave(client)
})

test('of two who listen each line reaches one', async () => {
  const { served } = await serveFifo()
  const clients = [await tailing(served), await tailing(served)]
  for (let i = 0; i < 20; i += 1) {
    expect((await ask(served, '/', { method: 'POST', body: `<${i}>\n` })).status).toBe(200)
    await eventually(() => clients.map(({ received }) => received).join('')).toContain(`<${i}>`)
  }
  const lines = clients.flatMap(({ received }) => received.match(/<\d+>/g) ?? [])
  expect(lines.toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `<${i}>`).toSorted())
  await leave(...clients)
  expect(served.log).toEqual([])
})

test('nobody listens: 503; somebody listens and does not read: 504 after 3 seconds', async () => {
  const { path, served } = await serveFifo()
  expect((await ask(served, '/', { method: 'POST', body: 'x' })).status).toBe(503)
  openPath(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const { status, body } = await ask(served, '/', { method: 'POST', body: 'x'.repeat(1_000_000) })
  expect([status, body]).toEqual([504, expect.stringMatching(/^the fifo is full; \d+ of 1000000 bytes went\n$/)])
  expect(served.log).toEqual([])
})
