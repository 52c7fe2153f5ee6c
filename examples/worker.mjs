// Every worker thread has a poller of its own: here one waits for what the main thread writes.
import { Worker } from 'node:worker_threads'
import { close, pipe, write } from 'fdevent/io'

const [reader, writer] = pipe()
const worker = new Worker(
  `import { readable } from 'fdevent'
   import { read } from 'fdevent/io'
   import { parentPort, workerData } from 'node:worker_threads'
   const buffer = new Uint8Array(64)
   while (await readable(workerData)) {
     const count = read(workerData, buffer)
     if (count === 0) break
     parentPort.postMessage(new TextDecoder().decode(buffer.subarray(0, count)))
   }`,
  { eval: true, workerData: reader, execArgv: ['--input-type=module'] },
)
worker.on('message', (text) => console.log('the worker read:', text))
setTimeout(() => write(writer, new TextEncoder().encode('one')), 200)
setTimeout(() => write(writer, new TextEncoder().encode('two')), 300)
setTimeout(() => close(writer), 400) // an end of file is readable, too
worker.on('exit', (code) => {
  console.log('the worker ended with', code)
  close(reader)
})
