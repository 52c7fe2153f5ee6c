/** `load.mjs require|import SPECIFIER FOLDER`: milliseconds that it takes, and of CPU time, as seen from FOLDER. */
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

const [how, specifier, folder] = process.argv.slice(2)
const require = createRequire(join(resolve(folder), 'from-here.cjs'))

const usage = process.cpuUsage()
const began = performance.now()
// An import has no folder to be relative to but this file's, from which the library itself is found.
if (how === 'require') require(specifier)
else await import(specifier)
const value = performance.now() - began
const { user, system } = process.cpuUsage(usage)
console.log(JSON.stringify({ value, cpu: (user + system) / 1e3 }))
