import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A file of benchmarks/. */
export const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))

export const ROOT = here('..')
/** Where the programs in C, Go and Rust are built. */
export const BUILD = join(ROOT, 'build', 'bench')

/** The command of a program of benchmarks/contestants. */
export const node = (program, ...args) => [process.execPath, here(`contestants/${program}.mjs`), ...args.map(String)]
/** The command of a program that was built. */
export const built = (program, ...args) => [join(BUILD, program), ...args.map(String)]
