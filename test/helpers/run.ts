/** Runs a program of test/fixtures in a process of its own. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  /** Put in front of node: a tracer and its options. */
  wrapper?: readonly string[]
  nodeOptions?: readonly string[]
}

export const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

export async function run(name: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Ended> {
  const { wrapper = [], nodeOptions = [] } = options
  const [command, ...rest] = [...wrapper, process.execPath, ...nodeOptions, fixture(name), ...args] as [string]
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended: Ended = { code: null, signal: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text
  })
  // A program that hangs is a failure to report, not a test run to hang.
  const guard = setTimeout(() => child.kill('SIGKILL'), 60_000)
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      Object.assign(ended, { code, signal })
      resolve()
    })
  })
  clearTimeout(guard)
  return ended
}

/** Runs a program that must end well, and returns what it printed as its last line, which is JSON. */
export async function report<T>(name: string, args: readonly string[] = [], options: RunOptions = {}): Promise<T> {
  const ended = await run(name, args, options)
  const line = ended.stdout.trim().split('\n').at(-1) ?? ''
  if (ended.code !== 0 || line === '') {
    throw new Error(
      `${name} ${args.join(' ')} ended with ${ended.code ?? ended.signal}:\n${ended.stdout}${ended.stderr}`,
    )
  }
  return JSON.parse(line) as T
}
