/**
 * The process that keeps workers running.
 *
 * @module
 */
import cluster, { type Worker } from 'node:cluster'
import net, { type AddressInfo } from 'node:net'
import { type Settings, toArguments } from './command-line.js'
import { explainListening, Failure } from './failure.js'
import { FAILED, STOP } from './process.js'
import { onStopSignal, SIGNAL_STATUS } from './signals.js'
import { printStart } from './start-line.js'

/** A worker that ends sooner after its start than this is replaced later and later. */
const STEADY_MS = 5000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
/** What a worker needs beyond the grace period, unless its application does not let it run at all. */
const SLACK_MS = 3000

export async function servePrimary(settings: Settings): Promise<void> {
  const port = await freePort(settings.host, settings.port)
  await new Workers({ ...settings, port }).run()
}

/** Finds out whether the port can be had, and which it is. Each worker of its own would find out, and say so. */
async function freePort(host: string, port: number): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explainListening(error, host, port)))
    server.listen({ host, port }, resolve)
  })
  const { port: found } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return found
}

class Workers {
  readonly #settings: Settings
  readonly #alive = new Set<Worker>()
  readonly #listening = new Set<Worker>()
  #started = false
  #stopping = false
  #pause = FIRST_PAUSE_MS
  #end: { resolve(): void; reject(error: Failure): void } | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Fulfilled after a stop. @throws Failure: no worker starts. */
  async run(): Promise<void> {
    // The workers accept by themselves. What this process would have accepted for a worker that is killed meanwhile would be
    // nobody's: its client would wait without end instead of seeing the connection break.
    cluster.schedulingPolicy = cluster.SCHED_NONE
    cluster.setupPrimary({ args: toArguments(this.#settings) })
    const end = new Promise<void>((resolve, reject) => (this.#end = { resolve, reject }))
    onStopSignal(
      () => this.#stop(),
      (signal) => {
        this.#killAll()
        process.exit(SIGNAL_STATUS[signal])
      },
    )
    for (let i = 0; i < this.#settings.workers; i += 1) this.#fork()
    await end
  }

  #fork(): void {
    const worker = cluster.fork()
    const since = performance.now()
    let failure: string | undefined
    this.#alive.add(worker)
    worker.on('listening', () => this.#began(worker))
    worker.on('message', (message: unknown) => {
      if (typeof message === 'string' && message.startsWith(FAILED)) failure = message.slice(FAILED.length)
    })
    worker.on('error', (error) => (failure ??= error.message))
    worker.on('exit', (code, signal) => {
      this.#ended(worker, failure, signal || `status ${code}`, performance.now() - since)
    })
  }

  #began(worker: Worker): void {
    this.#listening.add(worker)
    if (this.#started || this.#listening.size < this.#settings.workers) return
    this.#started = true
    printStart(this.#settings, this.#settings.port)
  }

  #ended(worker: Worker, failure: string | undefined, how: string, lived: number): void {
    const listened = this.#listening.delete(worker)
    this.#alive.delete(worker)
    if (this.#stopping) {
      if (this.#alive.size === 0) this.#end?.resolve()
      return
    }
    // Nothing suggests that another try would go better, and nobody is served meanwhile.
    if (!listened && (!this.#started || this.#listening.size === 0)) {
      this.#stopping = true
      this.#killAll()
      this.#end?.reject(new Failure(failure ?? `a worker ended with ${how} before it could serve`))
      return
    }
    if (lived >= STEADY_MS) this.#pause = FIRST_PAUSE_MS
    const why = failure ?? `ended with ${how}`
    console.error(`fdevent-serve: worker ${worker.process.pid ?? '?'}: ${why}; another starts`)
    this.#replace()
  }

  #replace(): void {
    setTimeout(() => {
      if (!this.#stopping) this.#fork()
    }, this.#pause)
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS)
  }

  #stop(): void {
    this.#stopping = true
    if (this.#alive.size === 0) return this.#end?.resolve()
    for (const worker of this.#alive) worker.send(STOP, () => {})
    setTimeout(() => this.#killAll(), this.#settings.grace * 1000 + SLACK_MS).unref()
  }

  #killAll(): void {
    for (const worker of this.#alive) worker.process.kill('SIGKILL')
  }
}
