/**
 * `gateway-suspended.mjs SERVER REQUESTS`: bytes of memory for each request that is suspended, and milliseconds from the event that
 * wakes all of them until all clients have their answers.
 */
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipe, read, write } from 'fdevent/io'
import { residentOf } from './gateway/process.mjs'
import { listen } from './gateway/servers.mjs'
import { startUwsgi } from './gateway/uwsgi.mjs'

const WARM_UP = 200

const [name, count] = process.argv.slice(2)
const requests = Number(count)
const clients = fork(new URL('gateway/clients.mjs', import.meta.url))

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function own() {
  const [reader, writer] = pipe()
  const server = await listen(name, reader)
  let suspended = 0
  server.on('request', () => (suspended += 1))
  return {
    port: server.address().port,
    wake: () => write(writer, new Uint8Array(1)),
    rest: () => read(reader, new Uint8Array(1)),
    allSuspended: async (n) => {
      while (suspended < n) await sleep(5)
      suspended = 0
    },
    async occupied() {
      // A collection may leave work for the next turn of the loop.
      for (let i = 0; i < 4; i += 1) {
        gc()
        await new Promise(setImmediate)
      }
      const { rss, heapUsed, external } = process.memoryUsage()
      return { resident: rss, heap: heapUsed + external }
    },
    end: () => {},
  }
}

async function uwsgi() {
  const folder = mkdtempSync(join(tmpdir(), 'fdevent-bench-'))
  const fifo = join(folder, 'fifo')
  execFileSync('mkfifo', [fifo])
  const { port, child } = await startUwsgi(requests + WARM_UP, fifo)
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  return {
    port,
    wake: () => write(fd, new Uint8Array(1)),
    rest: () => read(fd, new Uint8Array(1)),
    allSuspended: () => sleep(500),
    occupied: () => ({ resident: residentOf(child.pid) }),
    end: () => {
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true })
    },
  }
}

const server = await (name === 'uwsgi' ? uwsgi() : own())

async function told(what) {
  const [message] = await once(clients, 'message')
  if (message !== what) throw new Error(`the clients said ${message} instead of ${what}`)
}

/** So many suspended, then woken: what they occupied, and how long waking them took. */
async function round(n) {
  clients.send({ open: n, port: server.port, path: '/wait' })
  await told('asked')
  await server.allSuspended(n)
  const during = await server.occupied()
  const from = performance.now()
  server.wake()
  await told('answered')
  const wake = performance.now() - from
  server.rest()
  await sleep(200)
  return { during, wake }
}

// Compiled code is not part of a request.
await round(WARM_UP)
const before = await server.occupied()
const { during, wake } = await round(requests)
const each = Object.entries(during).map(([key, bytes]) => [key, (bytes - before[key]) / requests])
server.end()
clients.kill()
console.log(JSON.stringify({ ...Object.fromEntries(each), wake }))
process.exit(0)
