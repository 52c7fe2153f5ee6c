/**
 * Runs a benchmark: in every group all contestants in turn, round by round, after a round to warm up.
 *
 * A benchmark is `{ name, what, figures?, repeat?, contestants(settings), targets }`.
 * - A figure is `{ key, label, unit, digits? }`; without any, there is one by the name `value`.
 * - A contestant is `{ group, name, kind: 'floor' | 'fdevent' | 'peer', command, env?, floor?, needs? }`. `floor` names the
 *   contestant of its group that it is compared with, round by round; `needs` is a list of requirements.
 * - Targets are explained in targets.mjs.
 */
import { run } from './contestant.mjs'
import { ratios, summarize } from './statistics.mjs'

export const DEFAULT_FIGURES = [{ key: 'value', label: '', unit: 'ns', digits: 0 }]

/** Names whatever cannot take part, with the reason. */
export async function prepare(benchmark, settings) {
  const prepared = []
  for (const contestant of benchmark.contestants(settings)) {
    const found = {}
    for (const need of contestant.needs ?? []) {
      const { version, missing } = await need(settings)
      if (version !== undefined) found.version = version
      if (missing !== undefined) {
        found.missing = missing
        break
      }
    }
    prepared.push({ ...contestant, ...found, samples: {} })
  }
  return prepared
}

export async function measure(benchmark, settings, tell) {
  const contestants = await prepare(benchmark, settings)
  const repeat = settings.repeat ?? benchmark.repeat ?? 5
  const groups = [...new Set(contestants.map(({ group }) => group))]
  for (const group of groups) {
    const members = contestants.filter((contestant) => contestant.group === group)
    for (let round = 0; round <= repeat; round += 1) {
      for (const contestant of members) {
        if (contestant.missing !== undefined) continue
        tell(`${benchmark.name}: ${group}: round ${round} of ${repeat}: ${contestant.name}`)
        await takePart(contestant, round)
      }
    }
  }
  return evaluate(benchmark, contestants, groups, repeat)
}

// Round 0 warms up the disk cache and the machine, and its figures are thrown away.
async function takePart(contestant, round) {
  try {
    const figures = await run(contestant)
    if (round === 0) return
    for (const [key, value] of Object.entries(figures)) (contestant.samples[key] ??= [])[round - 1] = value
  } catch (error) {
    contestant.failures = (contestant.failures ?? 0) + 1
    // A contestant that cannot run at all is reported with the reason; a single mishap costs it a round.
    if (round === 0 || contestant.failures > 2) contestant.missing = `failed: ${error.message}`
    for (const samples of Object.values(contestant.samples)) samples[round - 1] = NaN
  }
}

export function evaluate(benchmark, contestants, groups, repeat) {
  const figures = benchmark.figures ?? DEFAULT_FIGURES
  const find = (group, name) => contestants.find((one) => one.group === group && one.name === name)
  const results = contestants.map(({ group, name, kind, floor, version, missing, samples }) => {
    const measured = {}
    if (missing === undefined) {
      for (const { key } of figures) {
        const summary = samples[key] && summarize(samples[key])
        if (summary === undefined) continue
        const base = floor && find(group, floor)?.samples[key]
        const ratio = base && summarize(ratios(samples[key], base))
        measured[key] = { ...summary, ...(ratio && { ratio: { to: floor, ...ratio } }) }
      }
    }
    return { group, name, kind, ...(version && { version }), ...(missing && { missing }), figures: measured }
  })
  return {
    figures,
    groups,
    repeat,
    contestants: results,
    targets: (benchmark.targets ?? []).map((target) => judge(target, results)),
  }
}

const list = (value) => (Array.isArray(value) ? value : [value])

/**
 * A target is `{ what, group, of, to?, figure?, over?, atMost? | atLeast? }`: the figure of `of`, or its ratio in each round to
 * `to`. Either is a contestant or a list, of which the one with the smallest median counts and is named as the rival: the
 * smallest of each round would be whoever was disturbed least. `over` says what is held against the bound: the median
 * (default), or the `min` or `max` of all rounds.
 */
export function judge(target, results) {
  const { what, group, figure = 'value', over = 'median', atMost, atLeast } = target
  const best = (names) =>
    list(names)
      .map((name) => results.find((one) => one.group === group && one.name === name))
      .filter((one) => one?.figures[figure] !== undefined)
      .sort((a, b) => a.figures[figure].median - b.figures[figure].median)[0]
  const of = best(target.of)
  const to = target.to === undefined ? undefined : best(target.to)
  const rival = Array.isArray(target.of) ? of?.name : Array.isArray(target.to) ? to?.name : undefined
  const verdict = { what, group, figure, over, ...(atMost !== undefined ? { atMost } : { atLeast }), rival }
  if (of === undefined || (target.to !== undefined && to === undefined)) return { ...verdict, met: undefined }
  const { samples } = of.figures[figure]
  const measured = summarize(to === undefined ? samples : ratios(samples, to.figures[figure].samples))
  if (measured === undefined) return { ...verdict, met: undefined }
  const met = atMost !== undefined ? measured[over] <= atMost : measured[over] >= atLeast
  return { ...verdict, ratio: to !== undefined, measured, met }
}
