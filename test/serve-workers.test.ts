import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { app, Command } from './helpers/serve.js'
import { ask, sleep } from './helpers/wsgi.js'

const portOf = (url: string): number => Number(new URL(url).port)

/** Who answers; each request has a connection of its own, since a connection stays with its worker. */
async function pids(port: number, requests = 20): Promise<Set<number>> {
  const found = new Set<number>()
  for (let i = 0; i < requests; i += 1) {
    const answer = await ask(port).catch(() => undefined)
    if (answer !== undefined) found.add(Number.parseInt(answer.body))
  }
  return found
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const start = async (...args: (string | number)[]): Promise<{ served: Command; port: number }> => {
  const served = new Command([app('app.mjs'), '--port', 0, ...args])
  return { served, port: portOf(await served.url()) }
}

test('several processes serve one port, know that they are several, and end together', async () => {
  const { served, port } = await start('--workers', 3)
  expect(served.stdout).toMatch(/^fdevent-serve: \S+ on http:\/\/127\.0\.0\.1:\d+ \(3 workers\)\n$/)
  const workers = await pids(port)
  expect(workers.size).toBe(3)
  expect(workers).not.toContain(served.child.pid)
  expect((await ask(port)).body).toMatch(/^\d+ true$/)
  served.child.kill('SIGTERM')
  await served.ended
  expect(served).toMatchObject({ code: 0, signal: null, stderr: '' })
  expect([...workers].filter(isRunning)).toEqual([])
})

test('a worker that is killed, crashes or is told to end is replaced on the same port', async () => {
  const { served, port } = await start('--workers', 2)
  let known = await pids(port)
  const replaced = async (how: RegExp): Promise<void> => {
    await served.prints(how)
    await expect
      .poll(async () => [...(await pids(port))].filter((pid) => !known.has(pid)), { timeout: 15_000 })
      .toHaveLength(1)
    known = new Set([...known, ...(await pids(port))])
  }
  const [first, second] = known as unknown as Iterable<number>
  expect(first).not.toBe(second)
  process.kill(first as number, 'SIGKILL')
  await replaced(new RegExp(`worker ${first}: ended with SIGKILL; another starts`))
  await ask(port, '/exit').catch(() => {})
  await replaced(/ended with status 3; another starts/)
  const present = [...(await pids(port))]
  expect(present).toHaveLength(2)
  process.kill(present[0] as number, 'SIGTERM')
  await replaced(new RegExp(`worker ${present[0]}: ended with status 0; another starts`))
  served.child.kill('SIGTERM')
  await served.ended
  expect(served.code).toBe(0)
})

test('all at once killed, they come back', async () => {
  const { served, port } = await start('--workers', 2)
  for (const pid of await pids(port)) process.kill(pid, 'SIGKILL')
  await expect.poll(async () => (await pids(port)).size, { timeout: 15_000 }).toBe(2)
  served.child.kill('SIGTERM')
  await served.ended
  expect(served.code).toBe(0)
})

test.each(['SIGTERM', 'SIGINT'] as const)('%s lets suspended requests of every worker finish', async (signal) => {
  const { served, port } = await start('--workers', 2)
  const waiting = Array.from({ length: 6 }, () => ask(port, '/wait?1000'))
  const endless = ask(port, '/wait?600000')
  await sleep(300)
  const workers = await pids(port)
  // As a terminal would send it: to everybody.
  if (signal === 'SIGINT') for (const pid of workers) process.kill(pid, signal)
  served.child.kill(signal)
  await expect.poll(() => ask(port).catch(String), { timeout: 15_000 }).toMatch(/ECONNREFUSED/)
  for (const answer of await Promise.all(waiting)) {
    expect(answer).toMatchObject({ body: 'suspended and resumed', cut: false })
  }
  expect(served.code).toBeNull()
  expect((await endless).cut).toBe(true)
  await served.ended
  expect(served).toMatchObject({ code: 0, stderr: '' })
  expect(served.stdout.match(/^closed for good$/gm)).toHaveLength(7)
})

test('a worker whose primary was killed does not stay behind', async () => {
  const { served, port } = await start('--workers', 2)
  const workers = await pids(port)
  served.child.kill('SIGKILL')
  await expect.poll(() => [...workers].filter(isRunning), { timeout: 15_000 }).toEqual([])
})

test('an application that cannot be loaded any more is tried again while others serve, and ends all when nobody does', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fdevent-serve-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const flag = join(folder, 'flag')
  const served = new Command([app('failing-later.mjs'), '--port', 0, '--workers', 2], { FAIL_IF: flag })
  const port = portOf(await served.url())
  writeFileSync(flag, '')
  await ask(port, '/exit').catch(() => {})
  await served.prints(/could not be loaded: Error: cannot be loaded any more[^]*another starts\n/)
  expect((await pids(port)).size).toBe(1)
  rmSync(flag)
  await expect.poll(async () => (await pids(port)).size, { timeout: 15_000 }).toBe(2)
  writeFileSync(flag, '')
  for (const pid of await pids(port)) process.kill(pid, 'SIGKILL')
  await served.ended
  expect(served.code).toBe(1)
  expect(served.stderr).toMatch(/could not be loaded: Error: cannot be loaded any more[^]*$/)
})

test('workers that crash soon after their start are replaced more and more slowly', async () => {
  const served = new Command([app('crashing.mjs'), '--port', 0, '--workers', 2])
  await served.url()
  await sleep(4000)
  const replaced = served.stderr.match(/ended with status 4; another starts/g)?.length
  expect(replaced).toBeGreaterThan(2)
  // Without pauses there would be two every third of a second.
  expect(replaced).toBeLessThan(13)
  served.child.kill('SIGTERM')
  await served.ended
  expect(served.code).toBe(0)
})
