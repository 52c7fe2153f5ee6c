/** One run of a contestant: a child process that prints a number, or JSON of several, as its last line. */
import { spawn } from 'node:child_process'

const LIMIT_MS = 120_000

export async function run({ command, env }, { limit = LIMIT_MS } = {}) {
  const [program, ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (output[name] += text))
  let late = false
  const guard = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, limit)
  try {
    const how = await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve(signal ?? code))
    })
    if (late) throw new Error(`no result after ${limit / 1000} s`)
    if (how !== 0) throw new Error(`ended with ${how}: ${firstError(output.stderr)}`)
    return figures(output.stdout)
  } finally {
    clearTimeout(guard)
  }
}

function firstError(text) {
  const lines = text.trim().split('\n')
  return (lines.findLast((line) => /^\S*error/i.test(line)) ?? lines.at(-1)).slice(0, 200)
}

/** Figures by name; a bare number goes by the name `value`. */
export function figures(text) {
  const line = text.trim().split('\n').at(-1)
  let parsed
  try {
    parsed = JSON.parse(line)
  } catch {
    throw new Error(`printed no figure but ${JSON.stringify(line)}`)
  }
  const all = typeof parsed === 'number' ? { value: parsed } : parsed
  for (const [name, value] of Object.entries(all)) {
    if (!Number.isFinite(value)) throw new Error(`${name} is no number: ${JSON.stringify(value)}`)
  }
  return all
}
