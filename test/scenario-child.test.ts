import { readdirSync } from 'node:fs'
import { exited } from 'fdevent/process'
import { expect, test } from 'vitest'
import { leave, serveExample } from './helpers/examples.js'
import { eventually } from './helpers/owned.js'
import { ask, Raw } from './helpers/wsgi.js'

test('what a child prints is sent as it prints it, and then how it ended', async () => {
  const served = await serveExample('child')
  const client = await Raw.connect(served)
  const from = performance.now()
  const at: number[] = []
  client.send('GET /count HTTP/1.1\r\nHost: x\r\n\r\n')
  for (const pattern of [/\r\n1\n/, /\r\n2\n/, /\r\n3\n/, /--- exit status 0\n/]) {
    await client.until(pattern)
    at.push(performance.now() - from)
  }
  // It sleeps for 0.2 s after each line.
  expect(at[3] as number).toBeGreaterThanOrEqual(600)
  expect(at[0] as number).toBeLessThan((at[3] as number) - 300)
  expect(served.log).toEqual([])
})

test('the exit status, the signal, or why there was no child', async () => {
  const served = await serveExample('child')
  expect((await ask(served, '/fail')).body).toBe('this goes wrong\n--- exit status 3\n')
  expect((await ask(served, '/killed')).body).toBe('--- killed by SIGKILL\n')
  expect((await ask(served, '/missing')).body).toBe('--- spawn no-such-command ENOENT\n')
  expect((await ask(served, '/elsewhere')).status).toBe(404)
  expect(served.log).toEqual([])
})

test('ten megabytes, which neither a pipe nor a client takes at once', async () => {
  const served = await serveExample('child')
  const { bytes } = await ask(served, '/much')
  const end = Buffer.from('--- exit status 0\n')
  expect(bytes.equals(Buffer.concat([Buffer.alloc(10_000_000), end]))).toBe(true)
})

test('a client that leaves takes its child with it, and no descriptor stays', async () => {
  const served = await serveExample('child')
  await ask(served, '/fail')
  const descriptors = (): number => readdirSync('/proc/self/fd').length
  const before = descriptors()
  const clients = await Promise.all(Array.from({ length: 5 }, () => Raw.connect(served)))
  for (const client of clients) client.send('GET /endless HTTP/1.1\r\nHost: x\r\n\r\n')
  for (const client of clients) await client.until(/\r\n\d+\n/)
  const pids = clients.map(({ received }) => Number(/\r\n(\d+)\n/.exec(received)?.[1]))
  expect(await exited(pids[0] as number, 0)).toBe(false)
  await leave(...clients)
  for (const pid of pids) expect(await exited(pid, 5)).toBe(true)
  await eventually(descriptors).toBeLessThanOrEqual(before)
  expect(served.log).toEqual([])
})
