#!/usr/bin/env node
/**
 * The command `fdevent-serve`.
 *
 * @module
 */
import cluster from 'node:cluster'
import { readFileSync } from 'node:fs'
import { HELP, parseCommandLine } from './command-line.js'
import { Failure } from './failure.js'
import { checkFile } from './load.js'
import { servePrimary } from './primary.js'
import { serveAlone, serveAsWorker } from './process.js'

async function main(): Promise<void> {
  const settings = parseCommandLine(process.argv.slice(2))
  if (settings === 'help') return void process.stdout.write(HELP)
  if (settings === 'version') return console.log(version())
  if (cluster.isWorker) return serveAsWorker(settings)
  checkFile(settings.file)
  if (settings.workers > 1) {
    await servePrimary(settings)
    process.exit(0)
  }
  await serveAlone(settings)
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

try {
  await main()
} catch (error) {
  if (!(error instanceof Failure)) throw error
  console.error(`fdevent-serve: ${error.message}`)
  process.exit(error.status)
}
