import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'

test('a worker that blocks in wait() without end can be terminated', async () => {
  const worker = new Worker(
    `import { Poller } from 'fdevent'
     import { parentPort } from 'node:worker_threads'
     parentPort.postMessage('waiting')
     new Poller().wait()`,
    { eval: true, execArgv: ['--input-type=module'] },
  )
  await once(worker, 'message')
  const ended = once(worker, 'exit')
  await worker.terminate()
  expect(await ended).toEqual([1])
})
