import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const run = promisify(execFile)
const folder = new URL('../examples/', import.meta.url)

/** What each example prints, line by line; times are cut out. */
const expected: Record<string, (string | RegExp)[]> = {
  'abort.mjs': ['timeout: false', 'signal: ABORT_ERR - changed my mind', 'closed: EBADF'],
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
  'pipe.mjs': ['read: hello', 'nothing more for half a second'],
  'select.mjs': ['plums: 3 plums', 'pears: 2 pears', 'apples: 1 apples', 'no more fruit'],
  'worker.mjs': ['the worker read: one', 'the worker read: two', 'the worker ended with 0'],
}

describe('every example prints what it promises', () => {
  test('and none is without a test', () => {
    const programs = readdirSync(folder).filter((name) => name !== 'libc.mjs')
    expect(programs.sort()).toEqual(Object.keys(expected).sort())
  })

  test.concurrent.each(Object.entries(expected))('%s', async (name, lines) => {
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
