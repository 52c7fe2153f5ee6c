/** The worker thread of the situations: one wait on the descriptor it is given. */
import { parentPort, workerData } from 'node:worker_threads'
import { load } from './adapter.mjs'
import { start } from './wait.mjs'

const peer = await load(workerData.peer, workerData.directory)
const wait = start(peer, workerData.fd, 'readable', { onEvent: () => parentPort.postMessage(wait.outcome) })
parentPort.postMessage(wait.refused ? wait.outcome : 'started')
// The worker stays until it is terminated.
setInterval(() => {}, 1000)
