import assert from 'node:assert/strict'
import {
  AsyncFd,
  dup,
  isNonBlocking,
  read,
  setNonBlocking,
  socketError,
  WOULD_BLOCK,
  write,
} from '../../dist/io/index.js'
import { closeOwned, code, makePipe, makeSockets, put } from './harness.mjs'

export default {
  'primitives answer WOULD_BLOCK, counts and 0 at the end'() {
    const [r, w] = makePipe()
    const buffer = new Uint8Array(4)
    assert.equal(read(r, buffer), WOULD_BLOCK)
    assert.equal(write(w, new Uint8Array([1, 2, 3])), 3)
    assert.equal(read(r, buffer), 3)
    assert.deepEqual([...buffer], [1, 2, 3, 0])
    closeOwned(w)
    assert.equal(read(r, buffer), 0)
  },
  'flags change only when asked'() {
    const [a] = makeSockets()
    assert.equal(isNonBlocking(a), true)
    setNonBlocking(a, false)
    assert.equal(isNonBlocking(a), false)
    assert.equal(socketError(a), 0)
    closeOwned(dup(a))
  },
  'a closed descriptor is EBADF'() {
    assert.throws(() => read(1_000_000, new Uint8Array(1)), code('EBADF'))
  },
  async 'AsyncFd reads what comes, until the end'() {
    const [r, w] = makePipe()
    const reader = new AsyncFd(r)
    const buffer = new Uint8Array(16)
    assert.equal(
      await reader.read(buffer, 0.01).catch((error) => error.code),
      await reader.read(buffer, 0.01).catch((error) => error.code),
    )
    setTimeout(() => put(w), 10)
    assert.equal(await reader.read(buffer, 5), 1)
    setTimeout(() => closeOwned(w), 10)
    assert.equal(await reader.read(buffer, 5), 0)
    await reader.close()
  },
  async 'AsyncFd writes all of it, to a slow reader'() {
    const [a, b] = makeSockets()
    const writer = new AsyncFd(a)
    const reader = new AsyncFd(b)
    const all = new Uint8Array(4_000_000).map((_, i) => i % 251)
    const received = (async () => {
      const buffer = new Uint8Array(65_536)
      let at = 0
      while (at < all.length) {
        const count = await reader.read(buffer, 10)
        for (let i = 0; i < count; i += 1) if (buffer[i] !== all[at + i]) throw new Error(`wrong at ${at + i}`)
        at += count
      }
      return at
    })()
    assert.equal(await writer.write(all, 10), all.length)
    assert.equal(await received, all.length)
    await writer.close()
    await reader.close()
  },
  async 'a chain of AsyncFds passes ten thousand messages'() {
    const [a, b] = makeSockets()
    const one = new AsyncFd(a)
    const other = new AsyncFd(b)
    const echo = (async () => {
      const buffer = new Uint8Array(8)
      for (let count = 1; count > 0;) {
        count = await other.read(buffer)
        if (count > 0) await other.write(buffer.subarray(0, count))
      }
    })()
    const buffer = new Uint8Array(8)
    for (let i = 0; i < 2000; i += 1) {
      await one.write(new Uint8Array([i & 255]))
      assert.equal(await one.read(buffer), 1)
      assert.equal(buffer[0], i & 255)
    }
    await one.close()
    closeOwned(a)
    await echo
    await other.close()
  },
}
