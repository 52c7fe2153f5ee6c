import { readable, writable } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'

test('every helper works', async () => {
  const [r, w] = c.pipe()
  expect(await readable(r, 0)).toBe(false)
  expect(c.fill(w)).toBe(65536)
  expect(await writable(w, 0.01)).toBe(false)
  expect(c.drain(r)).toBe(65536)
  expect(c.select([r], [w], [r, w])).toEqual({ readable: [], writable: [w], exceptional: [] })
  const [a, b] = c.tcpPair()
  c.sendOutOfBand(a)
  expect(await readable(b, 1)).toBe(true)
  expect(c.poll(b, c.POLL.PRI) & c.POLL.PRI).toBe(c.POLL.PRI)
  expect(c.recvOutOfBand(b)).toEqual(new Uint8Array([33]))
  c.resetOnClose(a)
  c.close(a)
  expect(await readable(b, 1)).toBe(true)
  expect(c.socketError(b)).toBe('ECONNRESET')
  const { master, slavePath } = c.pty()
  expect(slavePath).toMatch(/pts/)
  expect(await readable(c.timerfd(0.01), 1)).toBe(true)
  expect(await readable(c.eventfd(1), 1)).toBe(true)
  const s = c.tcpSocket()
  expect(c.connect(s, 1)).toMatch(/ECONNREFUSED|EINPROGRESS/)
  c.epollAdd(c.epoll(), master)
  for (const fd of [r, w, b, s, master]) c.close(fd)
})
