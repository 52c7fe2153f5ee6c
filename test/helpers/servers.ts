/** Servers that a test file starts for itself: PostgreSQL, Redis. They and their folders are gone when it ends, or is ended. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'vitest'

/** PATH, and where Debian keeps what is not in it. */
function folders(): string[] {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : []
  return [...versions.reverse(), ...(process.env['PATH'] ?? '').split(delimiter)]
}

/** The first folder that has all of these programs. */
function folderOf(...programs: string[]): string | undefined {
  return folders().find((folder) => programs.every((program) => existsSync(join(folder, program))))
}

/**
 * For what cannot be run because something is not installed: a failed test where everything has to run (`CI`), and otherwise one
 * that says loudly that it was skipped.
 *
 * @returns Whether it is missing.
 */
export function missing(what: string, found: boolean): boolean {
  if (found) return false
  if (process.env['CI']) {
    test(`${what} is installed`, () => {
      throw new Error(`${what} is not installed here`)
    })
  } else {
    console.warn(`\n*** NOT RUN: these tests, because ${what} is not installed ***\n`)
    test.skip(`${what} is not installed`, () => {})
  }
  return true
}

/** A running server. */
interface Server {
  /** For `beforeAll` to return: ends it, and removes what it wrote. */
  stop: () => Promise<void>
}

interface User {
  uid?: number
  gid?: number
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): User {
  if (process.getuid?.() !== 0) return {}
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  const [, , uid, gid] = (users.find((line) => line.startsWith('postgres:')) ?? 'nobody:x:65534:65534').split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

// It stands between: it ends the server and removes the folder when its standard input ends, which it does whatever becomes of this
// process. Its own output is let go, so that the server's end is the end of that pipe. SIGINT, which makes both servers stop
// without waiting for their clients.
const KEEPER =
  'folder=$1; shift; "$@" </dev/null 2>&1 & exec >/dev/null; read -r _; kill -INT $! 2>&1; wait $!; rm -rf -- "$folder"'

/** Starts a server in a folder of its own, and resolves when it has written that it is ready. */
async function start(folder: string, command: readonly string[], ready: RegExp, user: User = {}): Promise<Server> {
  const shell = spawn('sh', ['-c', KEEPER, 'sh', folder, ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: folder,
    // Ctrl-C is for the test run, which then ends the server in order.
    detached: true,
    ...user,
  })
  const ended = once(shell, 'exit')
  const stop = async (): Promise<void> => {
    shell.stdin.end()
    await ended
    // Where its user was not allowed to.
    rmSync(folder, { recursive: true, force: true })
  }
  let written = ''
  const started = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), 60_000)
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      written = (written + text).slice(-10_000)
      if (!ready.test(written)) return
      clearTimeout(timer)
      resolve(true)
    })
    shell.stdout.once('end', () => {
      clearTimeout(timer)
      resolve(false)
    })
  })
  if (started) return { stop }
  await stop()
  throw new Error(`${command[0]} does not start:\n${written}`)
}

const postgresql = folderOf('initdb', 'postgres', 'psql')
export const hasPostgres = postgresql !== undefined

export interface Postgres extends Server {
  /** What libpq is given to connect to it. */
  conninfo: string
  /** Runs a statement, and returns its rows as lines. */
  psql: (statement: string) => string
}

/** A new, empty cluster on a UNIX socket. */
export async function startPostgres(): Promise<Postgres> {
  const bin = postgresql as string
  const user = unprivileged()
  const folder = mkdtempSync(join(tmpdir(), 'fdevent-postgres-'))
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid as number)
  const data = join(folder, 'data')
  const initdb = [
    '-D',
    data,
    '-U',
    'tester',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ]
  try {
    execFileSync(join(bin, 'initdb'), initdb, { cwd: folder, stdio: 'pipe', ...user })
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off', 'max_connections=200']
  const command = [join(bin, 'postgres'), '-D', data, ...settings.flatMap((setting) => ['-c', setting])]
  const { stop } = await start(folder, command, /ready to accept connections/, user)
  const conninfo = `host=${folder} user=tester dbname=postgres`
  const psql = (statement: string): string =>
    execFileSync(join(bin, 'psql'), [conninfo, '-XAtc', statement], { encoding: 'utf8' }).trim()
  return { conninfo, psql, stop }
}

const redis = folderOf('redis-server')
export const hasRedis = redis !== undefined

export interface Redis extends Server {
  port: number
}

/** A new, empty one on a free port of loopback, which keeps nothing. */
export async function startRedis(): Promise<Redis> {
  const folder = mkdtempSync(join(tmpdir(), 'fdevent-redis-'))
  const port = await freePort()
  const settings = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder]
  const command = [join(redis as string, 'redis-server'), ...settings]
  const { stop } = await start(folder, command, /Ready to accept connections/)
  return { port, stop }
}

/** A port of loopback on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  return port
}
