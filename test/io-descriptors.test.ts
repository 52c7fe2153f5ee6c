import { spawnSync } from 'node:child_process'
import { READABLE, readable, watch } from 'fdevent'
import * as io from 'fdevent/io'
import { describe, expect, test } from 'vitest'
import { bytes, failure, flagsOf, thrown } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { close, own, pipe, socketpair } from './helpers/owned.js'
import * as parked from './helpers/parked.js'

const NEW = { NONBLOCK: 0o4000, CLOEXEC: 0o2000000 }

describe('flags', () => {
  test('read and write leave them as they are', () => {
    for (const fds of [pipe(), socketpair()]) {
      const before = fds.map(flagsOf)
      io.write(fds[1], bytes('x'))
      io.read(fds[0], new Uint8Array(1))
      expect(fds.map(flagsOf)).toEqual(before)
    }
  })

  test('setNonBlocking sets and clears O_NONBLOCK alone, for every duplicate', () => {
    const [r] = pipe()
    const twin = own(c.dup(r))
    const before = c.flags(r)
    io.setNonBlocking(r, false)
    expect([io.isNonBlocking(r), io.isNonBlocking(twin), c.flags(r)]).toEqual([false, false, before & ~NEW.NONBLOCK])
    io.setNonBlocking(twin, true)
    expect([io.isNonBlocking(r), io.isNonBlocking(twin), c.flags(r)]).toEqual([true, true, before])
  })

  test('setNonBlocking of anything but a boolean is refused', () => {
    const [r] = pipe()
    for (const on of [undefined, 0, 'yes', null]) {
      expect(thrown(() => io.setNonBlocking(r, on as never))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
    }
  })
})

describe('new descriptors', () => {
  for (const [name, make] of [
    ['pipe', io.pipe],
    ['socketpair', io.socketpair],
  ] as const) {
    test(`${name} gives two ends, non-blocking and close-on-exec, that are connected`, () => {
      const [r, w] = own(make())
      for (const fd of [r, w]) {
        expect(flagsOf(fd) & (NEW.NONBLOCK | NEW.CLOEXEC)).toBe(NEW.NONBLOCK | NEW.CLOEXEC)
      }
      expect(io.write(w, bytes('ab'))).toBe(2)
      expect(io.read(r, new Uint8Array(4))).toBe(2)
    })
  }

  test('socketpair works both ways', () => {
    const [a, b] = own(io.socketpair())
    io.write(a, bytes('there'))
    io.write(b, bytes('back'))
    expect([io.read(a, new Uint8Array(9)), io.read(b, new Uint8Array(9))]).toEqual([4, 5])
  })

  test('dup gives a second number for the same file, close-on-exec', () => {
    const [r, w] = pipe()
    const twin = own(io.dup(w))
    expect(twin).not.toBe(w)
    expect(flagsOf(twin) & NEW.CLOEXEC).toBe(NEW.CLOEXEC)
    close(w)
    io.write(twin, bytes('x'))
    expect(io.read(r, new Uint8Array(1))).toBe(1)
  })

  test('a child does not inherit them', () => {
    const fds = own([...io.pipe(), ...io.socketpair(), io.dup(0)])
    const { stdout } = spawnSync('ls', ['/proc/self/fd'], { encoding: 'utf8' })
    const inherited = stdout.trim().split('\n').map(Number)
    // Their numbers may be used by the child's own descriptors, which are few and low.
    expect(fds.filter((fd) => fd > 8 && inherited.includes(fd))).toEqual([])
  })

  test('out of descriptors: EMFILE, naming none', () => {
    const { stdout } = spawnSync(
      'sh',
      [
        '-c',
        `ulimit -n 40; exec "${process.execPath}" --input-type=module -e '${`
        import { pipe } from "${new URL('../dist/io/index.js', import.meta.url).pathname}"
        try { for (;;) pipe() } catch ({ code, syscall, fd }) { console.log(code, syscall, fd) }`}'`,
      ],
      { encoding: 'utf8' },
    )
    expect(stdout.trim()).toBe('EMFILE pipe -1')
  })
})

describe('close', () => {
  test('closes', () => {
    const [r, w] = parked.pipe()
    io.close(r)
    expect(c.isOpen(r)).toBe(false)
    expect(c.isOpen(w)).toBe(true)
  })

  test('rejects every wait on the descriptor with EBADF, and ends its watchers', async () => {
    const [r] = parked.pipe()
    const waits = [failure(readable(r)), failure(readable(r, 10))]
    const watcher = watch(r, READABLE, () => {})
    io.close(r)
    for (const error of await Promise.all(waits)) expect(error).toMatchObject({ name: 'FdError', code: 'EBADF', fd: r })
    expect(watcher.closed).toBe(true)
  })

  test('frees the number at once: a new object there is served', async () => {
    const [r] = parked.pipe()
    const wait = failure(readable(r))
    io.close(r)
    const [other, w] = pipe()
    parked.replace(r, other)
    const next = readable(r)
    c.write(w)
    expect(await next).toBe(true)
    expect(await wait).toMatchObject({ code: 'EBADF' })
  })
})
