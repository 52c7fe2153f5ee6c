import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { fixture } from './helpers/run.js'

const start = fileURLToPath(new URL('../examples/demo/start.mjs', import.meta.url))
const folder = fixture('demo')

interface Demo {
  output: string
  code: number | null
  ended: Promise<void>
  kill(signal: NodeJS.Signals): void
}

function demo(args: readonly string[], env: NodeJS.ProcessEnv = {}): Demo {
  const child = spawn(process.execPath, [start, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CI: '', ...env },
  })
  const running: Demo = { output: '', code: null, ended: Promise.resolve(), kill: (signal) => void child.kill(signal) }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      running.output += text
    })
  }
  running.ended = new Promise((resolve) =>
    child.once('close', (code) => {
      running.code = code
      resolve()
    }),
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  return running
}

test.each([
  ['--once', ['--once'], {}],
  ['CI', [], { CI: 'true' }],
])('with %s it asks each page once and ends', async (_, args, env) => {
  const run = demo([...args, '--applications', folder], env)
  await run.ended
  expect(run.output).toMatch(/^waiting for/m)
  expect(run.output).toMatch(/^\/ +200 <!doctype html>$/m)
  expect(run.output).toMatch(/^\/run\/greeting +200 hello from \/run\/greeting\/\?$/m)
  expect(run.output).toMatch(/^\/run\/clock +200 tick$/m)
  expect(run.output).toMatch(/^\/run\/lacking +NOT RUN: libnone\.so\.7: cannot open shared object file$/m)
  expect(run.output).not.toContain('helper')
  expect(run.output.match(/the clock has stopped/g)).toHaveLength(1)
  expect(run.code).toBe(0)
})

test('an application that answers badly makes it end with 1', async () => {
  const run = demo(['--once', '--applications', fixture('demo-failing')])
  await run.ended
  expect(run.output).toMatch(/^\/run\/failing +500 500 Internal Server Error$/m)
  expect(run.code).toBe(1)
})

test('otherwise it serves a page and the applications until a signal comes', async () => {
  const run = demo(['--port', '0', '--applications', folder])
  await expect.poll(() => run.output, { timeout: 15_000 }).toMatch(/Ctrl-C ends it\.\n$/)
  expect(run.output).toMatch(/^lacking cannot run here: libnone\.so\.7/m)
  const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(run.output) as unknown as [string]
  const page = await fetch(url)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const html = await page.text()
  // Nothing comes from elsewhere.
  expect(html).not.toMatch(/(src|href)="(?!data:)|@import|url\(/)
  expect(html).toContain('prefers-color-scheme: dark')
  expect(await (await fetch(`${url}/applications.json`)).json()).toEqual([
    expect.objectContaining({ name: 'clock', about: "Never ends; this name's default request says so." }),
    {
      name: 'greeting',
      about: 'Greets whoever asks: /somebody, for example like this.',
      request: { method: 'GET', path: '/' },
    },
    expect.objectContaining({ name: 'lacking', missing: 'libnone.so.7: cannot open shared object file' }),
  ])
  expect(await (await fetch(`${url}/run/greeting/a%20b?c`)).text()).toBe('hello from /run/greeting/a b?c\n')
  expect(await (await fetch(`${url}/run/greeting`)).text()).toBe('hello from /run/greeting/?\n')
  for (const path of ['/none', '/run/', '/run/none', '/run/lacking', '/run/greetings']) {
    expect((await fetch(`${url}${path}`)).status, path).toBe(404)
  }
  const endless = fetch(`${url}/run/clock`).then((response) => response.text())
  const failed = expect(endless).rejects.toThrow()
  await new Promise((resolve) => setTimeout(resolve, 200))
  run.kill('SIGINT')
  await run.ended
  await failed
  expect(run.code).toBe(0)
  expect(run.output).toMatch(/the clock has stopped/)
})

test('a folder without applications is said to be one', async () => {
  const missing = '/nonexistent/folder'
  expect(existsSync(missing)).toBe(false)
  const run = demo(['--port', '0', '--applications', missing])
  await expect
    .poll(() => run.output, { timeout: 15_000 })
    .toMatch(/There are no applications in \/nonexistent\/folder\n/)
  run.kill('SIGTERM')
  await run.ended
  expect(run.code).toBe(0)
})
