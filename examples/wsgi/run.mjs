// Serves one of the applications of this folder on loopback: node examples/wsgi/run.mjs clock [PORT]
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import http from 'node:http'
import { gateway } from 'fdevent/wsgi'

const [name = '', port = '8080'] = process.argv.slice(2)
// Those that are no applications are what these are made of.
const helpers = ['run', 'libcurl', 'libpq', 'resp']
const names = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.slice(0, -'.mjs'.length))
  .filter((one) => !helpers.includes(one))

if (!names.includes(name)) {
  console.error(`usage: node examples/wsgi/run.mjs NAME [PORT], where NAME is one of: ${names.join(', ')}`)
  process.exit(2)
}

// An application is a module's default export; what it wants of the gateway stands beside it, as `options`.
const { default: application, options } = await import(new URL(`${name}.mjs`, import.meta.url))
const server = http.createServer(gateway(application, options)).listen(Number(port), '127.0.0.1')
await once(server, 'listening')
console.log(`${name}: http://127.0.0.1:${server.address().port}/`)
