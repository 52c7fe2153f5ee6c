import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { statistics } from 'fdevent'
import { exited } from 'fdevent/process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { failure } from './helpers/async-fds.js'
import { eventually, watched } from './helpers/owned.js'

/** A process of the test's, ended with it. */
function child(command: string) {
  const started = spawn('sh', ['-c', command], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void started.kill('SIGKILL'))
  return { process: started, pid: started.pid as number }
}

/** A process whose parent has ended: nobody's child here. */
function stranger(seconds: number): number {
  const pid = Number(execFileSync('sh', ['-c', `sleep ${seconds} > /dev/null 2>&1 & echo $!`], { encoding: 'utf8' }))
  onTestFinished(() => void spawnSync('kill', ['-9', String(pid)]))
  return pid
}

const parentOf = (pid: number) => Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
const processDescriptors = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').includes('Pid:')
    } catch {
      return false
    }
  }).length

test('a child: true when it has ended, and not before', async () => {
  const { process: started, pid } = child('read line')
  const wait = watched(exited(pid))
  await sleep(30)
  expect(wait.state).toBe('pending')
  started.stdin?.end()
  await eventually(() => wait.value).toBe(true)
})

test('a process that is no child of this one: true when it has ended, and not before', async () => {
  const pid = stranger(0.2)
  expect(parentOf(pid)).not.toBe(process.pid)
  expect(await exited(pid, 0)).toBe(false)
  expect(await exited(pid)).toBe(true)
})

test('a grandchild', async () => {
  const { process: started } = child('sleep 0.1 > /dev/null & echo $!; wait; sleep 5')
  const [line] = (await once(started.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  expect(await exited(Number(String(line)))).toBe(true)
})

test('a process that was killed', async () => {
  const { process: started, pid } = child('exec sleep 60')
  const wait = exited(pid)
  started.kill('SIGKILL')
  expect(await wait).toBe(true)
})

test('a zombie has ended', async () => {
  // The shell does not collect a child that it started before it was replaced.
  const { process: started } = child('sleep 0.05 > /dev/null & echo $!; exec sleep 60 > /dev/null')
  const [line] = (await once(started.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  const pid = Number(String(line))
  await eventually(() => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]).toBe('Z')
  expect(await exited(pid)).toBe(true)
  expect(await exited(pid, 0)).toBe(true)
})

test('a process that has gone already', async () => {
  const { pid } = spawnSync('true')
  expect(await exited(pid)).toBe(true)
})

test('a process that never was', async () => {
  const greatest = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'))
  expect(await exited(greatest + 1)).toBe(true)
  expect(await exited(2 ** 31 - 1)).toBe(true)
})

test('this process is there', async () => {
  expect(await exited(process.pid, 0)).toBe(false)
  expect(await exited(1, 0)).toBe(false)
})

test('several waits for one process are all answered', async () => {
  const { process: started, pid } = child('read line')
  const waits = [exited(pid), exited(pid, 10), exited(pid)]
  started.stdin?.end()
  expect(await Promise.all(waits)).toEqual([true, true, true])
})

test('many processes at once are told apart', async () => {
  const children = Array.from({ length: 10 }, () => child('read line'))
  const waits = children.map(({ pid }) => watched(exited(pid)))
  children[4]?.process.stdin?.end()
  await eventually(() => waits[4]?.value).toBe(true)
  expect(waits.map(({ state }) => state).filter((state) => state === 'pending')).toHaveLength(9)
  for (const { process: started } of children) started.stdin?.end()
  await eventually(() => waits.every(({ value }) => value === true)).toBe(true)
})

test("Node's own exit event and status are not disturbed", async () => {
  const { process: started, pid } = child('exit 7')
  const [ended, [code]] = await Promise.all([exited(pid), once(started, 'exit')])
  expect([ended, code]).toEqual([true, 7])
})

describe('a timeout', () => {
  test('that passes: false, and not early', async () => {
    const start = performance.now()
    expect(await exited(process.pid, 0.05)).toBe(false)
    expect(performance.now() - start).toBeGreaterThanOrEqual(50)
  })

  test('of null never passes', async () => {
    const { process: started, pid } = child('read line')
    const wait = watched(exited(pid, null))
    await sleep(20)
    expect(wait.state).toBe('pending')
    started.stdin?.end()
    await eventually(() => wait.value).toBe(true)
  })
})

describe('a signal', () => {
  test('ends the wait with an AbortError', async () => {
    const abort = new AbortController()
    const wait = failure(exited(process.pid, null, { signal: abort.signal }))
    abort.abort(new Error('enough'))
    expect(await wait).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: { message: 'enough' } })
  })

  test('aborted before: AbortError', async () => {
    expect(await failure(exited(process.pid, 1, { signal: AbortSignal.abort() }))).toMatchObject({ code: 'ABORT_ERR' })
  })
})

const wrong: [string, unknown[], string][] = [
  ['0', [0], 'ERR_OUT_OF_RANGE'],
  ['a negative number', [-1], 'ERR_OUT_OF_RANGE'],
  ['a fraction', [1.5], 'ERR_OUT_OF_RANGE'],
  ['NaN', [NaN], 'ERR_OUT_OF_RANGE'],
  ['2^31', [2 ** 31], 'ERR_OUT_OF_RANGE'],
  ['a string', ['1'], 'ERR_INVALID_ARG_TYPE'],
  ['nothing', [], 'ERR_INVALID_ARG_TYPE'],
  ['a negative timeout', [1, -1], 'ERR_OUT_OF_RANGE'],
  ['a timeout that is a string', [1, '1'], 'ERR_INVALID_ARG_TYPE'],
  ['options that are a number', [1, 1, 1], 'ERR_INVALID_ARG_TYPE'],
  ['a signal that is none', [1, 1, { signal: 1 }], 'ERR_INVALID_ARG_TYPE'],
]
for (const [what, args, code] of wrong) {
  test(`${what}: rejects with ${code}, and throws nothing`, async () => {
    const promise = (exited as (...all: unknown[]) => Promise<boolean>)(...args)
    expect(await failure(promise)).toMatchObject({ code })
  })
}

test('the number of a thread that is no process rejects with an FdError', async () => {
  const thread = readdirSync('/proc/self/task')
    .map(Number)
    .find((id) => id !== process.pid) as number
  const error = await failure(exited(thread, 0))
  expect(error).toMatchObject({ name: 'FdError', fd: -1 })
  expect(['EINVAL', 'ENOENT']).toContain(error.code)
})

test('no descriptor is left, whatever the outcome', async () => {
  const before = processDescriptors()
  const { process: started, pid } = child('read line')
  const abort = new AbortController()
  const waits = [exited(pid), exited(pid, 0.01), exited(pid, null, { signal: abort.signal }).catch(() => 'aborted')]
  await sleep(20)
  expect(processDescriptors()).toBe(before + 2)
  abort.abort()
  started.stdin?.end()
  expect(await Promise.all(waits)).toEqual([true, false, 'aborted'])
  await exited(pid, 0)
  expect(processDescriptors()).toBe(before)
  expect(statistics().waits).toBe(0)
})
