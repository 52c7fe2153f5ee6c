// The benchmarks themselves measure nothing here: what they say about their samples is checked, and that all of them run.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const file = (path: string): URL => new URL(`../benchmarks/${path}`, import.meta.url)
const load = (path: string): Promise<any> => import(file(path).href)

const { median, quantile, ratios, summarize } = await load('harness/statistics.mjs')
const { evaluate, judge, measure, prepare } = await load('harness/measure.mjs')
const { tables } = await load('harness/table.mjs')
const { chart } = await load('harness/chart.mjs')
const { figures, run } = await load('harness/contestant.mjs')
const { peer } = await load('harness/requirements.mjs')
const { machine } = await load('harness/machine.mjs')

const folder = mkdtempSync(join(tmpdir(), 'fdevent-bench-'))
afterAll(() => rmSync(folder, { recursive: true }))

const print = (text: string) => [process.execPath, '-e', `console.log(${JSON.stringify(text)})`]
const silent = (): void => {}

describe('statistics', () => {
  test('the median of an odd and an even number of samples, in any order', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([10, 1, 2, 9])).toBe(5.5)
    expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2)
  })

  test('a summary has the spread, and leaves out the rounds that failed', () => {
    expect(summarize([4, NaN, 2, 8])).toMatchObject({ median: 4, min: 2, max: 8, count: 3 })
    expect(summarize([NaN])).toBeUndefined()
  })

  test('ratios are taken within a round: a round in which all were slow does not count for more', () => {
    // The medians' ratio would be 30 / 10.
    expect(ratios([10, 400, 30], [10, 200, 10])).toEqual([1, 2, 3])
    expect(summarize(ratios([10, 400, 30], [10, 200, 10]))).toMatchObject({ median: 2, min: 1, max: 3 })
    expect(ratios([10, 400], [10])[1]).toBeNaN()
  })
})

const group = 'a group'
const floor = { group, name: 'floor', kind: 'floor', samples: { value: [100, 200, 100] } }
const ours = { group, name: 'ours', kind: 'fdevent', floor: 'floor', samples: { value: [150, 240, 130] } }
const absent = { group, name: 'some peer', kind: 'peer', floor: 'floor', missing: 'not installed', samples: {} }

describe('targets', () => {
  const { contestants } = evaluate({ name: 'x' }, [floor, ours, absent], [group], 3)
  const against = (bound: object) => judge({ what: '', group, of: 'ours', to: 'floor', ...bound }, contestants)

  test('hold the median of the ratios against the bound', () => {
    expect(against({ atMost: 1.3 })).toMatchObject({ met: true, measured: { median: 1.3, min: 1.2, max: 1.5 } })
    expect(against({ atMost: 1.29 })).toMatchObject({ met: false })
    expect(against({ atLeast: 1.4 })).toMatchObject({ met: false })
    expect(against({ atMost: 1.4, over: 'max' })).toMatchObject({ met: false })
  })

  test('of several rivals the one with the smallest median counts, and is named', () => {
    const rival = { group, name: 'rival', kind: 'peer', samples: { value: [10, 500, 500] } }
    const all = evaluate({ name: 'x' }, [floor, ours, rival], [group], 3).contestants
    const verdict = judge({ what: '', group, of: 'ours', to: ['rival', 'floor'], atMost: 1.3 }, all)
    expect(verdict).toMatchObject({ rival: 'floor', met: true, measured: { median: 1.3 } })
  })

  test('of several contestants the missing ones are left out, and without any the target is not measured', () => {
    expect(against({ to: ['some peer', 'floor'], atMost: 1.3 })).toMatchObject({ met: true })
    expect(against({ to: ['some peer'], atMost: 1.3 }).met).toBeUndefined()
    expect(against({ of: 'nobody', atMost: 1.3 }).met).toBeUndefined()
  })
})

/** Every element that opens closes, and nothing stands for a number that is none. */
function checkSvg(svg: string): void {
  const open: string[] = []
  const elements = svg.replace(/<style>[^]*?<\/style>/, '')
  for (const [, end, name, rest] of elements.matchAll(
    /<(\/?)(\w+)((?:\s+[\w:-]+="[^"<&]*(?:&\w+;[^"<&]*)*")*\s*\/?)>/g,
  )) {
    if (end) expect(open.pop()).toBe(name)
    else if (!rest?.endsWith('/')) open.push(name as string)
  }
  expect(open).toEqual([])
  const text = elements.replace(/<[^>]*>/g, '')
  expect(text).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;)/)
  expect(svg).not.toMatch(/NaN|undefined|Infinity/)
}

describe('tables and charts', () => {
  const hopeless = { group, name: '<a> & "b"', kind: 'peer', floor: 'floor', samples: { value: [9e4, 9e4, 9e4] } }
  const result = evaluate(
    { name: 'x', targets: [{ what: 'ours to floor', group, of: 'ours', to: 'floor', atMost: 1.2 }] },
    [floor, ours, hopeless, absent],
    [group],
    3,
  )

  test('a table shows no ratio without its spread, names the missing, and says whether the target is met', () => {
    const text = tables(result)
    expect(text).toContain('1.30 (1.20..1.50) x')
    expect(text).toMatch(/some peer .*missing: not installed/)
    expect(text).toMatch(/ours to floor .*<= 1.2 x .*NOT MET/)
    // A bare number before the x is a bound.
    expect(text.replaceAll('<= 1.2 x', '')).not.toMatch(/\d x/)
  })

  test('a chart is well-formed, for light and dark pages, with every contestant named', () => {
    const svg = chart({ benchmark: 'x', what: 'a < b', machine: machine(), date: '2020-01-01', ...result })
    checkSvg(svg)
    expect(svg).toContain('prefers-color-scheme: dark')
    for (const name of ['floor', 'ours', '&lt;a&gt; &amp; &quot;b&quot;', 'missing: some peer (not installed)']) {
      expect(svg).toContain(name)
    }
  })

  test('a chart with nothing measured is well-formed', () => {
    const nothing = evaluate({ name: 'x' }, [absent], [group], 3)
    checkSvg(chart({ benchmark: 'x', what: '', machine: machine(), date: '2020-01-01', ...nothing }))
  })
})

describe('contestants', () => {
  test('print a number or several, and anything else is an error', () => {
    expect(figures('noise\n12.5\n')).toEqual({ value: 12.5 })
    expect(figures('{"a":1,"b":-2}')).toEqual({ a: 1, b: -2 })
    for (const text of ['', 'none', '"1"', '{"a":null}']) expect(() => figures(text), text).toThrow()
  })

  test('are run in turn, round by round, after a round that does not count', async () => {
    const told: string[] = []
    const contestants = () => ['a', 'b'].map((name) => ({ group, name, kind: 'peer', command: print('1') }))
    const result = await measure({ name: 'x', contestants }, { repeat: 2 }, (text: string) => told.push(text))
    expect(told.map((text) => text.replace(/.*round (\d).*: /, '$1'))).toEqual(['0a', '0b', '1a', '1b', '2a', '2b'])
    expect(result.contestants[0].figures.value.samples).toEqual([1, 1])
  })

  test('that fail are reported with the reason', async () => {
    const command = [process.execPath, '-e', 'throw new TypeError("broken")']
    const contestants = () => [
      { group, name: 'failing', kind: 'peer', command },
      { group, name: 'not there', kind: 'peer', command: ['/nonexistent/program'] },
    ]
    const { contestants: results } = await measure({ name: 'x', contestants }, { repeat: 1 }, silent)
    expect(results[0].missing).toContain('TypeError: broken')
    expect(results[1].missing).toContain('ENOENT')
  })

  test('that hang are ended', async () => {
    const hanging = run({ command: [process.execPath, '-e', 'setInterval(() => {}, 1000)'] }, { limit: 300 })
    await expect(hanging).rejects.toThrow('no result after 0.3 s')
  })

  test('that are not installed are named', async () => {
    const contestants = () => [{ group, name: 'epoll', kind: 'peer', command: print('1'), needs: [peer('epoll')] }]
    const result = await measure({ name: 'x', contestants }, { repeat: 1, peers: folder }, silent)
    expect(result.contestants).toEqual([
      expect.objectContaining({ name: 'epoll', missing: expect.stringContaining('not installed') }),
    ])
  })
})

describe('the benchmarks', () => {
  const names = ['chain', 'gateway', 'idle', 'load', 'memory', 'precision', 'syscalls', 'timeout', 'wakeup']

  test('are listed', () => {
    const { stdout } = spawnSync(process.execPath, [fileURLToPath(file('run.mjs')), '--list'], { encoding: 'utf8' })
    expect(stdout.split('\n').map((line) => line.split(' ')[0])).toEqual([...names, ''])
  })

  test.each(names)('%s: whatever a target or a ratio refers to is a contestant', async (name) => {
    const { default: benchmark } = await load(`${name}.mjs`)
    expect(benchmark).toMatchObject({ name, what: expect.any(String) })
    const contestants: any[] = benchmark.contestants({ peers: folder, scale: 1 })
    const keys = contestants.map(({ group, name }) => `${group}: ${name}`)
    expect(new Set(keys).size).toBe(keys.length)
    for (const { group, floor } of contestants) if (floor) expect(keys).toContain(`${group}: ${floor}`)
    for (const { group, of, to } of benchmark.targets) {
      for (const named of [of, to ?? []].flat()) expect(keys).toContain(`${group}: ${named}`)
    }
  })

  describe('chain', () => {
    let contestants: any[]
    beforeAll(async () => {
      const { default: benchmark } = await load('chain.mjs')
      contestants = await prepare(benchmark, { peers: fileURLToPath(file('peers/node_modules')), scale: 1e-9 })
    }, 240_000)

    test('each of our own contestants, and the floor, passes a few events on and prints a number', async () => {
      // Not the peers: koffi's promises stall on Node 26, for one, and that is theirs.
      const able = contestants.filter(({ kind, missing }) => missing === undefined && kind !== 'peer')
      const kinds = new Set(able.map(({ kind }) => kind))
      expect(kinds).toContain('fdevent')
      for (const contestant of able) {
        const label = `${contestant.group}: ${contestant.name}`
        const { value } = await run(contestant).catch((error: Error) => expect.fail(`${label}: ${error.message}`))
        expect(value, label).toBeGreaterThan(0)
      }
      for (const { missing } of contestants) if (missing !== undefined) expect(missing).not.toBe('')
    }, 240_000)
  })

  test('leave results that say on what they were measured', () => {
    const args = [fileURLToPath(file('run.mjs')), 'load', '--repeat', '1', '--out', folder, '--peers', folder]
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stdout).toMatch(/require\('fdevent'\)/)
    checkSvg(readFileSync(join(folder, 'load.svg'), 'utf8'))
    const report = JSON.parse(readFileSync(join(folder, 'load.json'), 'utf8'))
    expect(report).toMatchObject({
      benchmark: 'load',
      repeat: 1,
      machine: { kernel: expect.any(String), cpu: expect.any(String), node: process.version },
      date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })
  }, 60_000)
})
