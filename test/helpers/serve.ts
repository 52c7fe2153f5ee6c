/** The command fdevent-serve, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { fixture } from './run.js'

const root = new URL('../../', import.meta.url)
const { bin } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
/** As the package declares it. */
export const command: string = fileURLToPath(new URL(bin['fdevent-serve'], root))
export const app = (name: string): string => fixture(`serve/${name}`)

export class Command {
  stdout = ''
  stderr = ''
  code: number | null = null
  signal: NodeJS.Signals | null = null
  readonly child: ChildProcess
  readonly ended: Promise<void>

  constructor(args: readonly (string | number)[], env: NodeJS.ProcessEnv = {}) {
    const child = spawn(process.execPath, [command, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    this.child = child
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        this[name] += text
      })
    }
    this.ended = new Promise((resolve) =>
      child.once('close', (code, signal) => {
        Object.assign(this, { code, signal })
        resolve()
      }),
    )
    onTestFinished(() => void child.kill('SIGKILL'))
  }

  /** Where it listens, from the line that it prints. */
  async url(): Promise<string> {
    await expect.poll(() => this.stdout + this.stderr, { interval: 10, timeout: 15_000 }).toMatch(/\n/)
    const found = /^fdevent-serve: \S+ on (http:\/\/\S+:\d+)( \(\d+ workers\))?$/m.exec(this.stdout)
    if (found === null) throw new Error(`it did not start: ${this.stdout}${this.stderr}`)
    return found[1] as string
  }

  async prints(pattern: RegExp): Promise<void> {
    await expect.poll(() => this.stdout + this.stderr, { interval: 10, timeout: 15_000 }).toMatch(pattern)
  }
}

/** Runs it to its end. */
export async function ended(args: readonly (string | number)[]): Promise<Command> {
  const ran = new Command(args)
  await ran.ended
  return ran
}
