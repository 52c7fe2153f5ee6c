// What `npm start` runs: the waits of ../demo.mjs, then a page in the browser with the applications of ../wsgi.
//   npm start -- --port 8080      another port; 0 is any free one
//   npm start -- --once           asks each page once and ends, as it does where CI is set
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { catalogue } from './catalogue.mjs'
import { check } from './check.mjs'
import { serve } from './site.mjs'

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: ['1', 'true'].includes(process.env.CI) },
    port: { type: 'string' },
    applications: { type: 'string', default: fileURLToPath(new URL('../wsgi', import.meta.url)) },
  },
})
const port = Number(values.port ?? (values.once ? 0 : 8000))
if (!(Number.isInteger(port) && port >= 0 && port < 65_536)) {
  console.error(`--port must be an integer from 0 to 65535, not ${values.port}`)
  process.exit(2)
}

await import('../demo.mjs')

// What the applications are told by the environment.
const folder = mkdtempSync(join(tmpdir(), 'fdevent-site-'))
process.on('exit', () => rmSync(folder, { recursive: true }))
const fifo = (process.env.FIFO ??= join(folder, 'fifo'))
if (fifo.startsWith(folder)) execFileSync('mkfifo', [fifo])

const list = await catalogue(values.applications)
const server = await serve(list, port).catch((error) => {
  if (error.code !== 'EADDRINUSE') throw error
  // Nobody asked for that one.
  if (values.port === undefined) return serve(list, 0)
  console.error(`\nport ${port} is in use: npm start -- --port 0 takes any free one`)
  process.exit(1)
})
const url = `http://127.0.0.1:${server.address().port}`
process.env.UPSTREAM ??= `${url}/upstream`

// Their clients gone, the applications are closed where they wait, and end what they have started.
function end(status) {
  server.close()
  server.closeAllConnections()
  process.exitCode = status
  setTimeout(() => process.exit(), 1000).unref()
}

if (values.once) {
  console.log('\nThe same in a server, one request to each page:\n')
  const good = await check(url, list)
  end(good ? 0 : 1)
} else {
  const here = list.filter(({ missing }) => missing === undefined)
  console.log(`\nThe same in a server, ${here.length} applications that wait for descriptors: ${url}`)
  for (const { name, missing } of list) if (missing !== undefined) console.log(`${name} cannot run here: ${missing}`)
  if (list.length === 0) console.log(`There are no applications in ${values.applications}`)
  console.log('Ctrl-C ends it.')
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(0))
}
