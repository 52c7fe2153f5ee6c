import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import koffi from 'koffi'
import { describe, expect, test } from 'vitest'

const run = promisify(execFile)
const folder = new URL('../examples/', import.meta.url)

/** What each example prints, line by line; times are cut out. */
const expected: Record<string, (string | RegExp)[]> = {
  'abort.mjs': ['timeout: false', 'signal: ABORT_ERR - changed my mind', 'closed: EBADF'],
  'async-fd.mjs': [
    'you said: hello',
    'you said: how are you',
    '(silence for a tenth of a second)',
    'goodbye',
    'the child has ended: true',
  ],
  'connect.mjs': ['somebody listens: connected', 'nobody listens: ECONNREFUSED'],
  'demo.mjs': [
    /^fdevent on /,
    '',
    /^waiting for/,
    /^readable\(fifo, 2\).* "hello from the child\\n"$/,
    /^readable\(net\.Socket, 2\).* "hello from the server"$/,
    /^readable\(timerfd\).* 8 bytes: the number of expirations$/,
    /^readable\(inotify, 2\).* \d+ bytes of struct inotify_event$/,
    /^readable\(quiet pipe, 0\.25\).* false: the time has passed/,
    /^readable\(regular file, 2\).* true: always ready$/,
    /^writable\(connecting socket, 2\).* ECONNREFUSED$/,
    /^select\(.* readable: \[reply\]$/,
    '',
    /^Every descriptor/,
  ],
  'fifo-tail.mjs': ['> line 1', '> line 2', '> line 3', 'the last writer has gone'],
  'inotify.mjs': ['created: a.txt', 'created: b.txt', 'quiet'],
  'koffi-library.mjs': [
    "libsystemd's timer of 0.05 s rang",
    "libsystemd's timer of 0.1 s rang",
    "libsystemd's timer of 0.15 s rang",
    'all have rung',
  ],
  'pipe.mjs': ['read: hello', 'nothing more for half a second'],
  'select.mjs': ['plums: 3 plums', 'pears: 2 pears', 'apples: 1 apples', 'no more fruit'],
  'worker.mjs': ['the worker read: one', 'the worker read: two', 'the worker ended with 0'],
  'wsgi-middleware.mjs': ['begins', 'ends', '200 yes READ: HELLO'],
}

/** The C library that an example is about, where it is not the C library itself. */
const libraries: Record<string, string> = { 'koffi-library.mjs': 'libsystemd.so.0' }

/** Why an example cannot be run here, or undefined. */
function missing(name: string): string | undefined {
  const library = libraries[name]
  try {
    if (library !== undefined) koffi.load(library)
  } catch {
    console.warn(`\n*** NOT RUN: examples/${name}, because ${library} is not installed ***\n`)
    return library
  }
  return undefined
}

describe('every example prints what it promises', () => {
  test('and none is without a test', () => {
    const programs = readdirSync(folder).filter((name) => name.endsWith('.mjs') && name !== 'libc.mjs')
    expect(programs.sort()).toEqual(Object.keys(expected).sort())
  })

  test.runIf(process.env.CI)('none lacks its library where it has to run', () => {
    expect(Object.keys(expected).filter(missing)).toEqual([])
  })

  const here = Object.entries(expected).filter(([name]) => !missing(name))
  test.concurrent.each(here)('%s', async (name, lines) => {
    const { stdout, stderr } = await run(process.execPath, [new URL(name, folder).pathname], { timeout: 15_000 })
    expect(stderr).toBe('')
    const printed = stdout.replace(/\n$/, '').split('\n')
    expect(printed).toHaveLength(lines.length)
    for (const [index, line] of lines.entries()) {
      if (typeof line === 'string') expect(printed[index]).toBe(line)
      else expect(printed[index]).toMatch(line)
    }
  })
})
