import { openSync } from 'node:fs'
import { ERROR, HANGUP, PRIORITY, READABLE, statistics, WRITABLE } from 'fdevent'
import { describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { close, eventually, own, pipe, socketpair, tcpPair, turns } from './helpers/owned.js'
import { listening, polled, watching } from './helpers/watching.js'

const ALL = READABLE | WRITABLE | PRIORITY | HANGUP | ERROR

// Each makes a descriptor, and brings it into a state that lasts.
const states: Record<string, () => number> = {
  'an empty pipe': () => pipe()[0],
  'a pipe with data': () => {
    const [r, w] = pipe()
    c.write(w)
    return r
  },
  'a pipe without its writer': () => {
    const [r, w] = pipe()
    close(w)
    return r
  },
  'a pipe with data and without its writer': () => {
    const [r, w] = pipe()
    c.write(w)
    close(w)
    return r
  },
  "a pipe's writing end": () => pipe()[1],
  'a full pipe': () => {
    const [, w] = pipe()
    c.fill(w)
    return w
  },
  'a pipe without its reader': () => {
    const [r, w] = pipe()
    close(r)
    return w
  },
  'a full pipe without its reader': () => {
    const [r, w] = pipe()
    c.fill(w)
    close(r)
    return w
  },
  'a socket with data': () => {
    const [a, b] = socketpair()
    c.write(b)
    return a
  },
  'a socket whose peer has closed': () => {
    const [a, b] = socketpair()
    close(b)
    return a
  },
  'a socket whose peer has shut down sending': () => {
    const [a, b] = socketpair()
    c.shutdown(b, 'write')
    return a
  },
  'a full socket with data': () => {
    const [a, b] = socketpair()
    c.fill(a)
    c.write(b)
    return a
  },
  'a TCP socket with an urgent byte': () => {
    const [a, b] = tcpPair()
    c.sendOutOfBand(b)
    return a
  },
  'a TCP connection that was reset': () => {
    const [a, b] = tcpPair()
    c.resetOnClose(b)
    close(b)
    return a
  },
  'a TCP connection shut down in both directions': () => {
    const [a, b] = tcpPair()
    c.shutdown(a, 'both')
    c.shutdown(b, 'both')
    return a
  },
  'a TCP socket that never connected': () => own(c.tcpSocket()),
  'a listening TCP socket': () => own(c.tcpListener().fd),
  'an event counter that is set': () => own(c.eventfd(1)),
  'a pty whose slave has closed': () => {
    const { master, slavePath } = c.pty()
    own(master)
    c.close(openSync(slavePath, c.O.RDWR | c.O.NOCTTY))
    return master
  },
}

for (const [name, make] of Object.entries(states)) {
  describe(`${name}: what poll(2) says`, () => {
    for (const mode of ['level', 'edge'] as const) {
      test(`for every interest, each alone, ${mode}`, async () => {
        const fd = make()
        await turns(1)
        for (let interest = 1; interest <= ALL; interest += 1) {
          const expected = polled(fd, interest)
          const { told, watcher } = listening(fd, interest, { mode })
          if (expected === 0) await turns(1)
          else await eventually(() => told.length).toBeGreaterThan(0)
          watcher.close()
          expect(told[0] ?? 0, `interest ${interest}`).toBe(expected)
        }
      })

      test(`for every interest, all at once, ${mode}`, async () => {
        const fd = make()
        await turns(1)
        const interests = Array.from({ length: ALL }, (_, i) => i + 1)
        const expected = interests.map((interest) => polled(fd, interest))
        const all = interests.map((interest) => listening(fd, interest, { mode }))
        await turns(3)
        for (const { watcher } of all) watcher.close()
        expect(all.map(({ told }) => told[0] ?? 0)).toEqual(expected)
      })

      test(`for an iterator with every interest, ${mode}`, async () => {
        const fd = make()
        await turns(1)
        for (let interest = 1; interest <= ALL; interest += 1) {
          const expected = polled(fd, interest)
          const watcher = watching(fd, interest, null, { mode })
          const next = watcher[Symbol.asyncIterator]().next()
          if (expected === 0) {
            await turns(1)
            watcher.close()
            expect(await next, `interest ${interest}`).toEqual({ done: true, value: undefined })
          } else {
            expect(await next, `interest ${interest}`).toEqual({ done: false, value: expected })
            watcher.close()
          }
        }
        expect(statistics()).toMatchObject({ watches: 0, waits: 0, armed: 0 })
      })
    }
  })
}

test('a hang-up that comes later is reported with what was there before', async () => {
  const [r, w] = pipe()
  c.write(w)
  const { told } = listening(r, READABLE, { mode: 'edge' })
  await turns()
  expect(told).toEqual([READABLE])
  close(w)
  await eventually(() => told.length).toBe(2)
  expect(told[1]).toBe(READABLE | HANGUP)
})

test('an error that comes later is reported unasked', async () => {
  const [r, w] = pipe()
  c.fill(w)
  const { told } = listening(w, PRIORITY)
  await turns()
  expect(told).toEqual([])
  close(r)
  await eventually(() => told.length).toBeGreaterThan(0)
  expect(new Set(told)).toEqual(new Set([ERROR]))
})
