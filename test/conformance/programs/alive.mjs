import { readable } from '../../../dist/index.js'
import { pipe } from '../../../dist/io/index.js'

const [r] = pipe()
const referenced = process.argv[2] === 'referenced'
// Not awaited: a module that awaits what never comes is an error of its own.
void readable(r, referenced ? 0.3 : 15, { ref: referenced }).then((ready) => console.log(ready))
