import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { here } from '../../harness/paths.mjs'

/** uWSGI with peers/uwsgi/app.py, in a mode in which its applications can be suspended: `{ port, child }`. */
export async function startUwsgi(cores, fifo) {
  const port = await freePort()
  const args = ['--plugins', 'python3', '--async', cores, '--listen', 4096, '--http-socket', `127.0.0.1:${port}`]
  args.push('--wsgi-file', here('peers/uwsgi/app.py'), '--disable-logging', '--single-interpreter', '--die-on-term')
  // Whatever becomes of this process, uWSGI ends with it.
  const env = { ...process.env, ...(fifo && { FIFO: fifo }) }
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'uwsgi', ...args].map(String), {
    stdio: ['ignore', 'ignore', 'pipe'],
    env,
  })
  let told = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (told += text))
  for (let i = 0; !(await answers(port)); i += 1) {
    if (child.exitCode !== null || i > 100) throw new Error(`uwsgi does not serve: ${told.trim().split('\n').at(-1)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { port, child }
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await once(server.close(), 'close')
  return port
}

const answers = (port) =>
  fetch(`http://127.0.0.1:${port}/`).then(
    async (response) => (await response.text()) !== '',
    () => false,
  )
