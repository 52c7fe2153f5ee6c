// The demonstration's server: a page, which is itself an application, and beside it each application at a path of its own.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { gateway } from 'fdevent/wsgi'

const page = readFileSync(new URL('page.html', import.meta.url))

/** What a proxy can ask: waits as many seconds as the path ends with. */
function* upstream(environ, startResponse) {
  const seconds = Math.min(Math.abs(Number(environ.PATH_INFO.split('/').at(-1))) || 0, 60)
  environ['x-wsgiorg.suspend'](seconds * 1000)
  yield ''
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  yield `an answer after ${seconds} seconds\n`
}

function index(list) {
  const applications = () => list.map(({ name, about, request, missing }) => ({ name, about, request, missing }))
  const pages = {
    '/': () => ['text/html; charset=utf-8', page],
    '/applications.json': () => ['application/json', JSON.stringify(applications())],
  }
  const security = [
    [
      'Content-Security-Policy',
      "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:",
    ],
    ['X-Content-Type-Options', 'nosniff'],
  ]
  return (environ, startResponse) => {
    const [type, content] = Object.hasOwn(pages, environ.PATH_INFO) ? pages[environ.PATH_INFO]() : []
    startResponse(content ? '200 OK' : '404 Not Found', [['Content-Type', type ?? 'text/plain'], ...security])
    return [content ?? 'there is no such page\n']
  }
}

/** Listens on loopback; `list` is of catalogue.mjs. */
export async function serve(list, port, errors = process.stderr) {
  const mounted = new Map(list.filter(({ listener }) => listener).map((one) => [`/run/${one.name}`, one.listener]))
  mounted.set('/upstream', gateway(upstream, { errors }))
  const home = gateway(index(list), { errors })
  const server = http.createServer((req, res) => {
    const [path] = /^(\/run\/[^/?]*|\/upstream)(?=[/?]|$)/.exec(req.url) ?? []
    const listener = mounted.get(path)
    if (listener === undefined) return home(req, res)
    // As other servers tell an application where it is mounted.
    const rest = req.url.slice(path.length)
    Object.assign(req, { baseUrl: path, originalUrl: req.url, url: rest.startsWith('/') ? rest : `/${rest}` })
    listener(req, res)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  for (const { request } of list) request.path = request.path.replace('{port}', server.address().port)
  return server
}
