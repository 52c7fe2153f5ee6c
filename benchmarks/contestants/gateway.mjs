/** `gateway.mjs SERVER CONNECTIONS SECONDS keep|close`: microseconds per request, of CPU time too, and requests per second. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { load } from './gateway/load.mjs'
import { cpuOf } from './gateway/process.mjs'
import { startUwsgi } from './gateway/uwsgi.mjs'

const [name, ...rest] = process.argv.slice(2)
const [connections, seconds] = rest.map(Number)
const how = rest[2]

async function start() {
  if (name === 'uwsgi') return startUwsgi(connections * 2)
  const child = fork(new URL('gateway/servers.mjs', import.meta.url), [name])
  const [port] = await once(child, 'message')
  return { port, child }
}

const { port, child } = await start()
try {
  await load(port, connections, 1, how)
  const before = cpuOf(child.pid)
  const rate = await load(port, connections, seconds, how)
  const cpu = cpuOf(child.pid) - before
  console.log(JSON.stringify({ value: 1e6 / rate, cpu: (cpu * 1e6) / (rate * seconds), rate }))
} finally {
  child.kill('SIGKILL')
}
