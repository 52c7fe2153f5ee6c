/**
 * The benchmarks: npm run bench -- [NAME...] [--list] [--repeat N] [--scale X] [--peers DIR] [--out DIR]
 *
 * --repeat   rounds, after one to warm up; each benchmark has its own number, 5 or more
 * --scale    so many times the events: 0.1 for a quick look
 * --peers    where the peers' packages are installed, by default benchmarks/peers/node_modules
 * --out      where JSON and chart go, by default benchmarks/results
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { chart } from './harness/chart.mjs'
import { machine } from './harness/machine.mjs'
import { measure } from './harness/measure.mjs'
import { here } from './harness/paths.mjs'
import { tables } from './harness/table.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean', default: false },
    repeat: { type: 'string' },
    scale: { type: 'string', default: '1' },
    peers: { type: 'string', default: here('peers/node_modules') },
    out: { type: 'string', default: here('results') },
  },
})

const names = readdirSync(here('.'))
  .filter((file) => file.endsWith('.mjs') && file !== 'run.mjs')
  .map((file) => file.replace('.mjs', ''))
const load = async (name) => (await import(`./${name}.mjs`)).default

function fail(message) {
  console.error(message)
  process.exit(2)
}

const positive = (name) => {
  const value = Number(values[name])
  return value > 0 ? value : fail(`--${name} is a number > 0, not ${values[name]}`)
}

const unknown = positionals.filter((name) => !names.includes(name))
if (unknown.length > 0) fail(`no benchmark named ${unknown.join(', ')}; there are ${names.join(', ')}`)

if (values.list) {
  for (const name of names) console.log(`${name.padEnd(10)} ${(await load(name)).what}`)
  process.exit(0)
}

const settings = {
  peers: resolve(values.peers),
  scale: positive('scale'),
  repeat: values.repeat === undefined ? undefined : Math.ceil(positive('repeat')),
}

// On a terminal one line that is written over; elsewhere nothing, so that a log holds results only.
const tell = (message) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`)
}

mkdirSync(values.out, { recursive: true })
let unmet = 0
for (const name of positionals.length > 0 ? positionals : names) {
  const benchmark = await load(name)
  const busyBefore = loadavg()[0]
  const result = await measure(benchmark, settings, tell)
  tell('')
  const report = {
    benchmark: name,
    what: benchmark.what,
    date: new Date().toISOString(),
    machine: machine(),
    loadAverage: { before: busyBefore, after: loadavg()[0] },
    scale: settings.scale,
    ...result,
  }
  writeFileSync(join(values.out, `${name}.json`), `${JSON.stringify(report, null, 1)}\n`)
  writeFileSync(join(values.out, `${name}.svg`), chart(report))
  console.log(`\n${name}: ${benchmark.what}; median and range of ${result.repeat} rounds\n\n${tables(result)}`)
  // Of those that run at any moment one is ours, and on the way up and down another.
  if (report.loadAverage.after > 2 + cpus().length / 2) {
    console.log(
      `\nnote: the machine was busy with other programs (load average ${report.loadAverage.after.toFixed(1)})`,
    )
  }
  unmet += result.targets.filter(({ met }) => met === false).length
}
if (unmet > 0) console.log(`\n${unmet} targets not met`)
