import { parentPort } from 'node:worker_threads'
import { setTimeout as sleep } from 'node:timers/promises'
import { notify } from '../../../dist/index.js'

parentPort.once('message', async (notifier) => {
  await sleep(30)
  notify(notifier)
})
parentPort.postMessage('ready')
