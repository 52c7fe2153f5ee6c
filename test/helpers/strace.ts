/** Runs a program of test/fixtures under strace. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { report } from './run.js'

const probe = spawnSync('strace', ['-f', '-o', '/dev/null', 'true'])
/** Why it cannot be used here, or undefined. */
export const unusable: string | undefined =
  process.platform !== 'linux' || process.arch !== 'x64'
    ? `the names of system calls are those of Linux on x64, and this is ${process.platform} ${process.arch}`
    : probe.error
      ? `strace does not start (${probe.error.message})`
      : probe.status !== 0
        ? `strace may not trace here: ${probe.stderr}`
        : undefined

const TRACED = 'epoll_create1,epoll_ctl,epoll_wait,epoll_pwait,timerfd_settime,poll,ppoll'

export interface Call {
  name: string
  /** The first argument, where it is a number. */
  fd: number
  text: string
}

/** What the program reported, and the traced calls of its main thread in order. */
export async function trace<T>(program: string, args: readonly string[], inject?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'fdevent-'))
  const log = join(folder, 'log')
  try {
    const faults = inject === undefined ? [] : ['-e', `inject=${inject}`]
    const wrapper = ['strace', '-f', '-o', log, '-e', `trace=${TRACED}`, '-e', 'signal=none', ...faults]
    const result = await report<T>(program, args, { wrapper })
    const lines = readFileSync(log, 'utf8')
      .split('\n')
      .map((line) => /^(\d+) +(\w+)\((\d*)(.*)$/.exec(line))
      .filter((match) => match !== null)
    const main = lines[0]?.[1]
    const calls = lines
      .filter(([, thread]) => thread === main)
      .map(([, , name, fd, rest]): Call => ({
        name: name as string,
        fd: Number(fd || -1),
        text: `${name}(${fd}${rest}`,
      }))
    return { result, calls }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
