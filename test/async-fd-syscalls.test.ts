import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { platform } from 'fdevent'
import { describe, expect, test } from 'vitest'
import { report } from './helpers/run.js'
import { unusable } from './helpers/strace.js'

if (unusable !== undefined) console.warn(`\n*** NOT RUN: system calls are not counted, because ${unusable} ***\n`)

interface Counted {
  own: number
  r: number
}

/** The program's calls of its main thread, as text. */
async function trace(kind: string, times: number): Promise<Counted & { calls: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'fdevent-'))
  const log = join(folder, 'log')
  try {
    const wrapper = [
      'strace',
      '-f',
      '-o',
      log,
      '-e',
      'trace=epoll_ctl,epoll_wait,read,recvfrom,poll,fcntl',
      '-e',
      'signal=none',
    ]
    const counted = await report<Counted>('async-fd.mjs', ['steady', kind, String(times)], { wrapper })
    const lines = readFileSync(log, 'utf8')
      .split('\n')
      .map((line) => /^(\d+) +(.*)$/.exec(line))
      .filter((match) => match !== null)
    return {
      ...counted,
      calls: lines.filter(([, thread]) => thread === lines[0]?.[1]).map(([, , text]) => text as string),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe.skipIf(unusable || platform().backend !== 'epoll')('a steady loop of reads by an AsyncFd', () => {
  const N = 1000
  // What a read less than full leaves behind, a packet of a pipe say, is reported again: see native/core/streams.cc.
  for (const kind of ['socketpair', 'pipe']) {
    test(`from a ${kind} costs one read for each event, no epoll_ctl and no poll`, async () => {
      const { own, r, calls: all } = await trace(kind, N)
      // Before that, the number meant other files.
      const calls = all.slice(all.findIndex((call) => call.startsWith(`epoll_ctl(${own}, EPOLL_CTL_ADD, ${r},`)))
      const starting = (...names: string[]) =>
        calls.filter((call) => names.some((name) => call.startsWith(name))).length
      // The first, before anything is known, is tried in vain.
      expect(starting(`read(${r},`, `recvfrom(${r},`)).toBeGreaterThanOrEqual(N)
      expect(starting(`read(${r},`, `recvfrom(${r},`)).toBeLessThanOrEqual(N + 25)
      expect(starting(`epoll_ctl(${own},`)).toBeLessThanOrEqual(10)
      expect(starting(`epoll_wait(${own},`)).toBeGreaterThanOrEqual(N)
      expect(starting(`epoll_wait(${own},`)).toBeLessThanOrEqual(N * 1.1 + 20)
      expect(starting('poll(')).toBeLessThanOrEqual(5)
      expect(starting(`fcntl(${r},`)).toBeLessThanOrEqual(5)
    }, 60_000)
  }
})
