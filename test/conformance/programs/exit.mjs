import { readable } from '../../../dist/index.js'
import { pipe } from '../../../dist/io/index.js'

const [r] = pipe()
for (let i = 0; i < 1000; i += 1) void readable(r, i % 2 ? 100 : null)
setTimeout(() => {
  console.log('leaving')
  process.exit(3)
}, 20)
