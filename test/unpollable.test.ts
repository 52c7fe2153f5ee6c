import { constants, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import { closing, readable, select, statistics, writable } from 'fdevent'
import { describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { close, eventually, openPath, own, pipe, temporaryDirectory, turns, watched } from './helpers/owned.js'

function regularFile(content = 'content'): number {
  const path = join(temporaryDirectory(), 'file')
  writeFileSync(path, content)
  return openPath(path, 'r+')
}

const directory = (): number => openPath(temporaryDirectory(), constants.O_RDONLY | constants.O_DIRECTORY)

describe.each([
  ['a regular file', regularFile],
  ['an empty regular file', () => regularFile('')],
  [
    'a regular file at its end',
    () => {
      const fd = regularFile()
      readFileSync(fd)
      return fd
    },
  ],
  ['a regular file opened for writing only', () => openPath(join(temporaryDirectory(), 'file'), 'w')],
  ['a directory', directory],
  ['/dev/null', () => openPath('/dev/null', 'r+')],
  ['/dev/zero', () => openPath('/dev/zero', 'r')],
])('%s', (_name, open) => {
  test.each([0, 0.01, 1e300, null, undefined])('is readable and writable with a timeout of %s', async (timeout) => {
    const fd = open()
    expect(c.select([fd], [fd], [])).toEqual({ readable: [fd], writable: [fd], exceptional: [] })
    expect(await readable(fd, timeout)).toBe(true)
    expect(await writable(fd, timeout)).toBe(true)
  })

  test('stays so', async () => {
    const fd = open()
    for (let i = 0; i < 20; i += 1) expect([await readable(fd), await writable(fd)]).toEqual([true, true])
  })

  test('answers after a turn of the event loop, not in the same drain of microtasks', async () => {
    const fd = open()
    const waits = [
      watched(readable(fd)),
      watched(writable(fd)),
      watched(readable(fd, 0)),
      watched(select([fd], [], [])),
    ]
    for (let i = 0; i < 1000; i += 1) await undefined
    expect(waits.map(({ state }) => state)).toEqual(Array(4).fill('pending'))
    await eventuallyAll(waits)
  })

  test('leaves nothing registered', async () => {
    const before = statistics()
    const fd = open()
    await Promise.all([readable(fd), writable(fd), select([fd], [fd], [], 1)])
    expect(statistics()).toEqual(before)
  })

  test('can be aborted before it answers', async () => {
    const controller = new AbortController()
    const wait = readable(open(), { signal: controller.signal })
    controller.abort()
    await expect(wait).rejects.toMatchObject({ code: 'ABORT_ERR' })
    await turns(1)
  })

  test('closing() ends a wait that has not answered yet', async () => {
    const fd = open()
    const wait = watched(readable(fd))
    closing(fd)
    close(fd)
    await turns(1)
    expect(wait).toMatchObject({ state: 'rejected', reason: { code: 'EBADF' } })
  })
})

async function eventuallyAll(waits: readonly { state: string }[]): Promise<void> {
  await turns(1)
  await eventually(() => new Set(waits.map(({ state }) => state))).toEqual(new Set(['resolved']))
}

test('data at the read position is left where it is', async () => {
  const fd = regularFile('content')
  await readable(fd)
  await readable(fd)
  expect(readFileSync(fd, 'utf8')).toBe('content')
})

test('a wait aborted before it answers no longer counts as pending', async () => {
  const controller = new AbortController()
  const wait = watched(readable(regularFile(), { signal: controller.signal }))
  controller.abort()
  const { waits } = statistics()
  await turns(1)
  expect(wait.state).toBe('rejected')
  expect(waits).toBe(0)
})

test('the answers of many waits come in one batch or several, but all come', async () => {
  const fd = regularFile()
  const results = await Promise.all(Array.from({ length: 5000 }, () => readable(fd)))
  expect(results.every((result) => result === true)).toBe(true)
})

describe('loops of waits on such descriptors', () => {
  /** Where nothing else gets a turn, nothing else can end the loops. */
  const LIMIT = 3000

  /** Runs ten loops beside `body`, which must end all the same; how often they went round. */
  async function besideLoops(body: () => Promise<void>): Promise<number> {
    const end = performance.now() + LIMIT
    let running = true
    let starved = false
    let rounds = 0
    const fds = [regularFile(), directory(), openPath('/dev/null', 'r+')]
    const loops = Array.from({ length: 10 }, async (_, i) => {
      while (running) {
        await (i % 2 ? readable : writable)(fds[i % 3] as number)
        rounds += 1
        if (performance.now() > end) {
          starved = true
          break
        }
      }
    })
    try {
      await body()
    } finally {
      running = false
      await Promise.all(loops)
    }
    expect(starved, 'the loops had to end by themselves').toBe(false)
    return rounds
  }

  test('do not starve timers', async () => {
    const rounds = await besideLoops(async () => {
      for (let i = 0; i < 5; i += 1) await sleep(2)
    })
    expect(rounds).toBeGreaterThan(10)
  })

  test('do not starve immediates', async () => {
    const rounds = await besideLoops(async () => {
      for (let i = 0; i < 50; i += 1) await immediate()
    })
    expect(rounds).toBeGreaterThan(10)
  })

  test('do not starve other descriptors', async () => {
    const [r, w] = pipe()
    const rounds = await besideLoops(async () => {
      for (let i = 0; i < 50; i += 1) {
        const wait = readable(r)
        c.write(w)
        expect(await wait).toBe(true)
        c.drain(r)
      }
    })
    expect(rounds).toBeGreaterThan(10)
  })

  test('do not starve timeouts', async () => {
    const [r] = pipe()
    const rounds = await besideLoops(async () => {
      for (let i = 0; i < 5; i += 1) expect(await readable(r, 0.003)).toBe(false)
    })
    expect(rounds).toBeGreaterThan(10)
  })

  test('do not starve one another', async () => {
    const fd = regularFile()
    const counts = [0, 0, 0, 0]
    const end = performance.now() + 30
    const loops = counts.map(async (_, i) => {
      while (performance.now() < end) {
        await readable(fd)
        counts[i] = (counts[i] as number) + 1
      }
    })
    await Promise.all(loops)
    expect(Math.min(...counts)).toBeGreaterThan(Math.max(...counts) / 2 - 2)
  })
})

test('a descriptor that becomes a regular file keeps no wait of what it was', async () => {
  const [r] = pipe()
  const file = regularFile()
  const wait = watched(readable(r))
  closing(r)
  c.dup2(file, r)
  await turns(1)
  expect(wait).toMatchObject({ state: 'rejected', reason: { code: 'EBADF' } })
  expect(await readable(r)).toBe(true)
})

test('a terminal device is not among them: it is waited for', async () => {
  const { master, slavePath } = c.pty()
  own(master)
  openPath(slavePath, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
  expect(await readable(master, 0.01)).toBe(false)
})
