/** One situation with one peer: `child.mjs KEY PEER DIRECTORY`; prints JSON lines, the outcome last. */
import { writeSync } from 'node:fs'
import { load } from './adapter.mjs'
import { situations } from './list.mjs'

const [key, file, directory] = process.argv.slice(2)
const say = (message) => writeSync(1, `${JSON.stringify(message)}\n`)

const peer = await load(file, directory)
const { run } = situations.find((situation) => situation.key === key)
const result = await run(peer, (note) => say({ note }))
say(typeof result === 'string' ? { text: result } : result)
process.exit(0)
