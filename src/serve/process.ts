/**
 * A process that serves: the only one, or one of several workers.
 *
 * @module
 */
import cluster from 'node:cluster'
import type { Settings } from './command-line.js'
import { Failure } from './failure.js'
import { loadListener } from './load.js'
import { Service } from './service.js'
import { printStart } from './start-line.js'
import { onStopSignal, SIGNAL_STATUS } from './signals.js'

/** What a worker is told. The application may send messages of its own, which these must not be taken for. */
export const STOP = 'fdevent-serve: stop'
/** What begins the message of a worker that cannot serve. */
export const FAILED = 'fdevent-serve: failed: '

/** How long what an application has open beside its requests keeps a process that has stopped. */
const AFTERMATH_MS = 1000

export async function serveAlone(settings: Settings): Promise<void> {
  const service = new Service(await loadListener(settings.file, settings.maxBody))
  const address = await service.listen(settings.host, settings.port)
  onStopSignal(
    () => void stop(service, settings.grace),
    (signal) => process.exit(SIGNAL_STATUS[signal]),
  )
  printStart(settings, address.port)
}

export async function serveAsWorker(settings: Settings): Promise<void> {
  let service: Service | undefined
  let stopping = false
  const begin = (): void => {
    if (stopping) return
    stopping = true
    if (service === undefined) process.exit(0)
    void stop(service, settings.grace)
  }
  process.on('message', (message) => {
    if (message === STOP) begin()
  })
  // A terminal sends it to all its processes, and the primary will say what is to be done.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', begin)
  try {
    const loaded = new Service(await loadListener(settings.file, settings.maxBody))
    await loaded.listen(settings.host, settings.port)
    service = loaded
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    process.send?.(FAILED + error.message, () => process.exit(error.status))
  }
}

async function stop(service: Service, grace: number): Promise<void> {
  await service.stop(grace)
  cluster.worker?.disconnect()
  setTimeout(() => process.exit(0), AFTERMATH_MS).unref()
}
