import { spawn, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { Raw } from './helpers/wsgi.js'

const runner = fileURLToPath(new URL('../examples/wsgi/run.mjs', import.meta.url))

test('the runner of the examples serves one of them', async () => {
  const child = spawn(process.execPath, [runner, 'clock', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill())
  const said = await new Promise<string>((resolve) => child.stdout.setEncoding('utf8').once('data', resolve))
  const port = Number(/^clock: http:\/\/127\.0\.0\.1:(\d+)\/\n$/.exec(said)?.[1])
  const client = await Raw.connect({ port })
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until(/line 1,/)
})

test('without the name of one it says which there are', () => {
  for (const args of [[], ['no-such'], ['libpq'], ['../connect']]) {
    const { status, stderr, stdout } = spawnSync(process.execPath, [runner, ...args], { encoding: 'utf8' })
    expect([status, stdout]).toEqual([2, ''])
    const names = /one of: (.*)\n$/.exec(stderr)?.[1]?.split(', ') ?? []
    // Each has tests of its own; two share a file.
    expect(names).toEqual(['child', 'clock', 'connect', 'fifo', 'parallel', 'postgres', 'proxy', 'router', 'subscribe'])
    const tests = readdirSync(fileURLToPath(new URL('.', import.meta.url))).join()
    for (const name of names.filter((one) => !['parallel', 'proxy', 'subscribe'].includes(one))) {
      expect(tests).toContain(`scenario-${name}.test.ts`)
    }
  }
})
