import net from 'node:net'
import { expect, test } from 'vitest'
import { serveExample } from './helpers/examples.js'
import { freePort } from './helpers/servers.js'
import { ask, listen } from './helpers/wsgi.js'

test('a name is looked up, and connected to', async () => {
  const served = await serveExample('connect')
  const port = await listen(net.createServer((socket) => socket.on('error', () => {}).end()))
  expect(await ask(served, `/localhost/${port}`)).toMatchObject({
    status: 200,
    body: `localhost is 127.0.0.1, port ${port}: connected\n`,
  })
  const closed = await freePort()
  expect(await ask(served, `/localhost/${closed}`)).toMatchObject({
    status: 502,
    body: `localhost is 127.0.0.1, port ${closed}: ECONNREFUSED\n`,
  })
  expect(served.log).toEqual([])
})

test('a name that is none, and what is no request of this kind', async () => {
  const served = await serveExample('connect')
  const { status, body } = await ask(served, '/no-such-name.invalid/80')
  expect(status).toBe(502)
  expect(body).toMatch(/^no-such-name\.invalid: /)
  for (const path of ['/', '/localhost', '/localhost/0', '/localhost/65536', '/local host/80']) {
    expect((await ask(served, encodeURI(path))).status).toBe(400)
  }
  expect(served.log).toEqual([])
})

test('50 at once', async () => {
  const served = await serveExample('connect')
  const port = await listen(net.createServer((socket) => socket.on('error', () => {}).end()))
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(served, `/localhost/${port}`)))
  expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200))
  expect(served.log).toEqual([])
})
