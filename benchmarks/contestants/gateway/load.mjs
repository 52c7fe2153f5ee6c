/** Where requests come from: wrk where it is installed, otherwise clients of our own. */
import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

// It prints its version, and ends with 1.
const hasWrk = spawnSync('wrk', ['-v']).error === undefined
export const GENERATOR = hasWrk ? 'wrk' : 'clients of our own, in Node'

const run = promisify(execFile)

/** Requests in one second. `how`: keep or close, what becomes of a connection after its answer. */
export async function load(port, connections, seconds, how) {
  if (!hasWrk) {
    const program = new URL('clients.mjs', import.meta.url).pathname
    const { stdout } = await run(process.execPath, [program, 'load', port, connections, seconds, how].map(String))
    return Number(stdout)
  }
  const close = how === 'close' ? ['-H', 'Connection: close'] : []
  const args = ['-t1', '-c', connections, '-d', seconds, ...close, `http://127.0.0.1:${port}/`]
  const { stdout } = await run('wrk', args.map(String))
  const rate = Number(/Requests\/sec:\s*([\d.]+)/.exec(stdout)?.[1])
  const failed = /Non-2xx[^:]*:\s*(\d+)/.exec(stdout)
  if (failed !== null) throw new Error(`${failed[1]} requests were answered with an error`)
  return rate
}
