/**
 * Finds the addon: one that came with the package, or one built in a checkout.
 *
 * @module
 */
import { createRequire } from './builtins.js'
import { unavailable } from './errors.js'

const SYSTEMS = ['linux', 'darwin', 'freebsd', 'netbsd', 'openbsd']

// In a checkout its own build comes first; an installed package has none to look for. glibc's comes before musl's: each fails to
// load on the other's system, and glibc's is the likelier.
function candidates(): string[] {
  const name = `${process.platform}-${process.arch}`
  const prebuilt = process.platform === 'linux' ? [name, `${name}-musl`] : [name]
  const installed = import.meta.url.includes('/node_modules/')
  return [...(installed ? [] : ['build/Release']), ...prebuilt.map((folder) => `prebuilds/${folder}`)]
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
    try {
      // Tried instead of looked for: to import node:fs would take three times as long as all the rest.
      return require(`../${folder}/fdevent.node`)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'MODULE_NOT_FOUND') cause ??= error
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
