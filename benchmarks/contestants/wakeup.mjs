/** Two threads wake each other in turn: `wakeup.mjs poller|message|atomics TRIPS`; prints nanoseconds per round trip. */
import { writeSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { notify, Poller } from 'fdevent'

const WARM_UP = 2000

const report = (began, trips) => writeSync(1, `${(((performance.now() - began) * 1e6) / trips).toFixed(1)}\n`)

/** Calls `trip` often enough, and reports how long it took. */
function drive(trip, trips) {
  for (let i = 0; i < WARM_UP; i += 1) trip()
  const began = performance.now()
  for (let i = 0; i < trips; i += 1) trip()
  report(began, trips)
}

const ways = {
  poller: {
    main(trips) {
      const poller = new Poller()
      start('poller', { back: poller.notifier, trips }).once('message', (forth) =>
        drive(() => {
          notify(forth)
          poller.wait()
        }, trips),
      )
    },
    // Neither thread may be left waiting: nothing but a notification ends a wait, the end of the process included.
    worker({ back, trips }) {
      const poller = new Poller()
      parentPort.postMessage(poller.notifier)
      for (let i = 0; i < WARM_UP + trips; i += 1) {
        poller.wait()
        notify(back)
      }
    },
  },
  message: {
    main(trips) {
      const worker = start('message', {})
      let left = WARM_UP + trips
      let began = 0
      worker.on('message', () => {
        if (left === trips) began = performance.now()
        left -= 1
        if (left >= 0) {
          worker.postMessage(0)
          return
        }
        report(began, trips)
        void worker.terminate()
      })
    },
    worker() {
      parentPort.on('message', (message) => parentPort.postMessage(message))
      parentPort.postMessage(0)
    },
  },
  atomics: {
    main(trips) {
      const turns = new Int32Array(new SharedArrayBuffer(8))
      start('atomics', { turns, trips }).once('message', () =>
        drive(() => {
          Atomics.store(turns, 1, 1)
          Atomics.notify(turns, 1)
          Atomics.wait(turns, 0, 0)
          Atomics.store(turns, 0, 0)
        }, trips),
      )
    },
    worker({ turns, trips }) {
      parentPort.postMessage('ready')
      for (let i = 0; i < WARM_UP + trips; i += 1) {
        Atomics.wait(turns, 1, 0)
        Atomics.store(turns, 1, 0)
        Atomics.store(turns, 0, 1)
        Atomics.notify(turns, 0)
      }
    },
  },
}

function start(way, data) {
  return new Worker(new URL(import.meta.url), { workerData: { way, ...data } })
}

if (isMainThread) {
  const [way, trips] = process.argv.slice(2)
  ways[way].main(Number(trips))
} else {
  ways[workerData.way].worker(workerData)
}
