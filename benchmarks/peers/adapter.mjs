/**
 * A peer is `{ name, module, load(module) }`; what `load` returns is one uniform interface to it:
 * - `watch(fd, interest, listener(error, report), options)` starts a wait and returns `{ stop(), unref?() }`; throws
 *   what the peer throws, or `notOffered`;
 * - `needs`: the kind of descriptor it takes (`socket`, `blocking`; absent: any);
 * - `takesOver`: it closes the descriptor with the wait; `reads`: the wait consumes data;
 * - `wait(fd)`: its one-shot wait for reading, where it has one; `timeouts`, `priority`, `watchUnreferenced`, `announceClose`: what it offers beyond the rest.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)

export const PEERS = ['fdevent', 'koffi', 'serialport', 'epoll', 'socketwatcher', 'usocket', 'net-socket', 'fs-read']

export const notOffered = (what) => Object.assign(new Error(`${what}: not offered`), { notOffered: true })

const importPeer = async (file) => (await import(new URL(`./${file}.mjs`, import.meta.url).href)).default

function locate(peer, directory) {
  if (peer.module.startsWith('node:')) return peer.module
  if (peer.module.startsWith('.')) return new URL(peer.module, import.meta.url).href
  return pathToFileURL(createRequire(join(directory, 'from-here.js')).resolve(peer.module)).href
}

function versionAt(location) {
  if (location.startsWith('node:')) return process.version
  let directory = dirname(fileURLToPath(location))
  for (;;) {
    const manifest = join(directory, 'package.json')
    const version = existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version
    if (version) return version
    directory = dirname(directory)
  }
}

/** `{ file, name, version }`; without a version where the peer is not installed in `directory`. */
export async function describe(file, directory) {
  const peer = await importPeer(file)
  try {
    return { file, name: peer.name, version: versionAt(locate(peer, directory)) }
  } catch {
    return { file, name: peer.name, version: undefined }
  }
}

export async function load(file, directory) {
  const peer = await importPeer(file)
  const location = locate(peer, directory)
  // An addon without JavaScript around it cannot be imported.
  const module = location.endsWith('.node') ? { default: require(fileURLToPath(location)) } : await import(location)
  return { file, directory, name: peer.name, ...peer.load(module) }
}
