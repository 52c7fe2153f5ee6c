// Answers once, and is then in the middle of waits when it is terminated.
import { parentPort } from 'node:worker_threads'
import { readable, watch } from '../../../dist/index.js'
import { pipe, write } from '../../../dist/io/index.js'

const [r, w] = pipe()
setTimeout(() => write(w, new Uint8Array(1)), 10)
const first = await readable(r)
const [silent] = pipe()
const second = await readable(silent, 0.01)
for (let i = 0; i < 100; i += 1) void readable(silent)
watch(silent, 1, () => {})
parentPort.postMessage([first, second])
