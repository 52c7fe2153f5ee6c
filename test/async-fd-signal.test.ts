// A read that a signal ends loses nothing: what it has taken is its result.
import { READABLE, watch } from 'fdevent'
import { expect, test } from 'vitest'
import { asyncFd, connected, text } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { socketpair, turns } from './helpers/owned.js'

test('aborted between its transfer and its delivery, in a burst that never waits', async () => {
  const { file, peer } = connected()
  c.write(peer, String.fromCharCode(...Array.from({ length: 100 }, (_, i) => i + 1)))
  const seen: unknown[] = []
  const reads: Promise<unknown>[] = []
  for (let i = 0; i < 100; i += 1) {
    const buffer = new Uint8Array(1)
    const controller = new AbortController()
    reads.push(
      file.read(buffer, 0.1, { signal: controller.signal }).then(
        (count) => count === 1 && seen.push(buffer[0]),
        (error: { code: string }) => expect(error.code).toBe('ABORT_ERR'),
      ),
    )
    if (i % 3 === 0) controller.abort()
    await null
  }
  await Promise.all(reads)
  const rest = new Uint8Array(100)
  const count = await file.read(rest, 0.1)
  const all = [...seen, ...rest.subarray(0, Math.max(count, 0))]
  expect(all.sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
})

test('aborted by a listener of the same batch', async () => {
  const { file, peer } = connected()
  const [a, b] = socketpair()
  const controller = new AbortController()
  const watcher = watch(a, READABLE, () => {
    controller.abort()
    watcher.close()
  })
  const buffer = new Uint8Array(4)
  const read = file.read(buffer, 60, { signal: controller.signal }).catch((error: { code: string }) => error.code)
  await turns()
  c.write(b)
  c.write(peer, 'data')
  const first = await read
  const again = new Uint8Array(4)
  const got = first === 'ABORT_ERR' ? text(again, await file.read(again, 1)) : text(buffer, first as number)
  expect(got).toBe('data')
})

test('aborted while nothing has come: it takes nothing', async () => {
  const [a, b] = socketpair()
  const file = asyncFd(a)
  const controller = new AbortController()
  const read = file.read(new Uint8Array(4), null, { signal: controller.signal })
  controller.abort()
  c.write(b, 'data')
  await expect(read).rejects.toMatchObject({ code: 'ABORT_ERR' })
  const buffer = new Uint8Array(4)
  expect(text(buffer, await file.read(buffer))).toBe('data')
})
