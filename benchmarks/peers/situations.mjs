/**
 * What fdevent and other packages do in the same situations, each in a process of its own.
 *
 *   npm install --prefix benchmarks/peers
 *   node benchmarks/peers/situations.mjs [--peers DIR] [--only KEY,KEY] [--of PEER,PEER] [--repeat N]
 *   node benchmarks/peers/situations.mjs --print      only the table of what is stored for this Node version
 *
 * Prints a Markdown table and adds this Node version's results to benchmarks/results/situations.json.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, type } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describe, PEERS } from './adapter.mjs'
import { situations } from './list.mjs'

const LIMIT_MS = 6000
const DEATHS = { SIGABRT: 'the process aborts', SIGSEGV: 'the process crashes (SIGSEGV)' }
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const RESULTS = here('../results/situations.json')

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: here('node_modules') },
    only: { type: 'string' },
    of: { type: 'string' },
    repeat: { type: 'string', default: '2' },
    print: { type: 'boolean', default: false },
  },
})
const directory = resolve(values.peers)
const chosen = (list, wanted, name) => (wanted ? list.filter((item) => wanted.split(',').includes(name(item))) : list)

/** The process's last words, and how it ended. */
function child(key, file) {
  return new Promise((done) => {
    const process_ = spawn(process.execPath, [here('child.mjs'), key, file, directory], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = { stdout: '', stderr: '' }
    let timedOut = false
    for (const name of ['stdout', 'stderr']) process_[name].on('data', (data) => (output[name] += data))
    const timer = setTimeout(() => {
      timedOut = true
      process_.kill('SIGKILL')
    }, LIMIT_MS)
    process_.on('close', (code, signal) => {
      clearTimeout(timer)
      done({ code, signal, timedOut, ...output })
    })
  })
}

function classify({ code, signal, timedOut, stdout, stderr }) {
  const said = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  const result = said.find((message) => message.text !== undefined)
  const note = said.findLast((message) => message.note)?.note
  const during = result ? ' at exit' : note ? ` (${note})` : ''
  const before = result?.text ? `${result.text}; ` : ''
  if (timedOut) return { ...result, text: `${before}hangs${during}`, stderr }
  if (signal) return { ...result, text: `${before}${DEATHS[signal] ?? signal}${during}`, stderr }
  if (code === 0 && result) return result
  return { ...result, text: `${before}exit code ${code}${during}`, stderr }
}

/** The repetitions in one: what they say, how often, and the range of their figures. */
function summarize(runs) {
  const texts = new Map()
  for (const { text } of runs) texts.set(text, (texts.get(text) ?? 0) + 1)
  const figures = {}
  for (const { text: _text, stderr: _stderr, ...rest } of runs) {
    for (const [name, value] of Object.entries(rest)) figures[name] = [...(figures[name] ?? []), value]
  }
  const ranges = Object.entries(figures).map(([name, all]) => [name, [Math.min(...all), Math.max(...all)]])
  const abort = runs.map(({ stderr }) => stderr?.match(/Assertion.*failed|FATAL ERROR.*|Error: .*/)?.[0]).find(Boolean)
  const trace = abort?.replace(/(file:\/\/)?\/[^\s':]*\//g, '')
  return { outcomes: Object.fromEntries(texts), figures: Object.fromEntries(ranges), ...(trace && { trace }) }
}

function cell({ outcomes, figures }) {
  const all = Object.entries(outcomes)
  const total = all.reduce((sum, [, count]) => sum + count, 0)
  const texts = all.map(([text, count]) => (all.length === 1 ? text : `${text} (${count} of ${total})`)).join(' / ')
  // The share of CPU depends on the neighbours: it stays in the results file, its word is in the text.
  const { us, delayMs, earliest, median, ms } = figures
  const range = ([low, high]) => (low === high ? `${low}` : `${low} to ${high}`)
  const extra = [
    us && `${range(us)} us`,
    delayMs && `${range(delayMs)} ms`,
    earliest && `earliest ${range(earliest)} ms, median ${range(median)} ms after it`,
    ms && `${range(ms)} ms for all`,
  ].filter(Boolean)
  return [texts, ...extra].filter(Boolean).join(', ')
}

const stored = existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : {}
const rows = chosen(situations, values.only, ({ key }) => key)

async function installed() {
  const peers = {}
  for (const file of chosen(PEERS, values.of, (name) => name)) {
    const { name, version } = await describe(file, directory)
    if (version) peers[file] = { name, version }
    else console.error(`missing: ${name} (npm install --prefix benchmarks/peers)`)
  }
  return peers
}

async function measure(previous, peers) {
  const results = { ...previous?.situations }
  for (const { key } of rows) {
    results[key] = { ...results[key] }
    for (const file of Object.keys(peers)) {
      const runs = []
      for (let run = 0; run < Number(values.repeat); run += 1) runs.push(classify(await child(key, file)))
      results[key][file] = summarize(runs)
      console.error(`${key}, ${file}: ${cell(results[key][file])}`)
    }
  }
  return {
    kernel: `${type()} ${release()}`,
    cpu: `${cpus().length} x ${cpus()[0].model}`,
    libuv: process.versions.uv,
    peers: { ...previous?.peers, ...peers },
    situations: results,
  }
}

if (!values.print) {
  stored[process.version] = await measure(stored[process.version], await installed())
  mkdirSync(here('../results'), { recursive: true })
  writeFileSync(RESULTS, `${JSON.stringify(stored, null, 2)}\n`)
}

const { kernel, libuv, peers, situations: results } = stored[process.version]
const columns = chosen(Object.entries(peers), values.of, ([file]) => file)
console.log(`Node ${process.version}, libuv ${libuv}, ${kernel}\n`)
console.log(`| situation | ${columns.map(([, { name, version }]) => `${name} ${version}`).join(' | ')} |`)
console.log(`|---|${columns.map(() => '---|').join('')}`)
for (const { key, title } of rows) {
  const cells = columns.map(([file]) => (results[key]?.[file] ? cell(results[key][file]) : 'not run'))
  console.log(`| ${title} | ${cells.join(' | ')} |`)
}
