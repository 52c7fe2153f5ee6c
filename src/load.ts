/**
 * Finds the addon: one that came with the package, or one built in a checkout.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { unavailable } from './errors.js'

const SYSTEMS = ['linux', 'darwin', 'freebsd', 'netbsd', 'openbsd']

// First what was built in a checkout, which a package does not have. Then glibc's before musl's: each fails to load on the other's
// system, and glibc's is the likelier.
function candidates(): string[] {
  const name = `${process.platform}-${process.arch}`
  const prebuilt = process.platform === 'linux' ? [name, `${name}-musl`] : [name]
  return ['build/Release', ...prebuilt.map((folder) => `prebuilds/${folder}`)]
}

/** The addon's exports; on a system that is not supported, something that throws when it is used. */
export function load(): unknown {
  const here = `${process.platform} ${process.arch}`
  if (!SYSTEMS.includes(process.platform)) {
    return refusing(`fdevent does not work on ${here}: it needs epoll or kqueue, so Linux, macOS or a BSD`)
  }
  const require = createRequire(import.meta.url)
  let cause: unknown
  for (const folder of candidates()) {
    const file = fileURLToPath(new URL(`../${folder}/fdevent.node`, import.meta.url))
    if (!existsSync(file)) continue
    try {
      return require(file)
    } catch (error) {
      cause ??= error
    }
  }
  const reason = cause === undefined ? 'none is in the package' : 'the one in the package does not load'
  throw unavailable(
    `fdevent needs a native addon for ${here}, and ${reason}. In a checkout of fdevent, \`npm ci && npm run build\` builds it`,
    cause,
  )
}

// Importing the package must work wherever a program that does not use it runs.
function refusing(message: string): unknown {
  const refuse = (): never => {
    throw unavailable(message)
  }
  const object: unknown = new Proxy(refuse, { get: (_, name) => (name === 'connect' ? () => object : refuse) })
  return object
}
