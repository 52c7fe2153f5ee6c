// Other versions of Node, from npm packages that hold the binary, into .cache/, so that nobody's ordinary install carries them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import process from 'node:process'

const root = new URL('..', import.meta.url).pathname

/** The path of a binary; ends the process where there is none to be had. */
export function installNode(version) {
  const name = `node-${process.platform}-${process.arch}`
  const prefix = `${root}.cache/node-${version}`
  const binary = `${prefix}/node_modules/${name}/bin/node`
  if (!existsSync(binary)) {
    mkdirSync(prefix, { recursive: true })
    const { status } = spawnSync('npm', ['install', '--prefix', prefix, '--no-save', `${name}@${version}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    if (status !== 0 || !existsSync(binary)) {
      console.error(`Node ${version} could not be installed from the npm package ${name}`)
      process.exit(1)
    }
  }
  return binary
}
