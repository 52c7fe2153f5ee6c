/**
 * A bar chart as SVG, by hand: bars are medians, whiskers the smallest and largest of all rounds. It carries its own
 * background and colours for light and dark pages, because as an image it cannot see the page's.
 */
import { number, spread } from './table.mjs'

const WIDTH = 900
const LABELS = 250
const BARS = 340
const VALUES = 110
const ROW = 24
const BAR = 14
const MARGIN = 20
// One hopeless contestant must not squeeze all others into a corner; its bar is broken off.
const LONGEST_IN_FLOORS = 6

const STYLE = `
  .page { fill: #ffffff } text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 } .group { font-weight: 600 } .quiet { fill: #59636e }
  .floor { fill: #8c959f } .fdevent { fill: #0a7d4f } .peer { fill: #6f9fd8 }
  .whisker { stroke: #1f2328; stroke-width: 1.2 } .axis { stroke: #8c959f; stroke-dasharray: 3 3 } .break { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .page, .break { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 }
    .floor { fill: #6e7681 } .fdevent { fill: #3fb97f } .peer { fill: #4674ad }
    .whisker { stroke: #e6edf3 } .axis { stroke: #6e7681 }
  }`

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escape = (text) => String(text).replace(/[&<>"]/g, (character) => ENTITIES[character])

const text = (x, y, content, kind = '', more = '') =>
  `<text x="${x}" y="${y}"${kind && ` class="${kind}"`}${more && ` ${more}`}>${escape(content)}</text>`

const rect = (x, y, width, height, kind) =>
  `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${Math.max(0, width).toFixed(1)}" height="${height}" class="${kind}"/>`

const line = (x1, y1, x2, y2, kind) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" class="${kind}"/>`

/** Up to where the bars go, in the figure's unit. */
function scaleOf(bars) {
  const floor = bars.find(({ kind }) => kind === 'floor') ?? bars.find(({ kind }) => kind === 'fdevent') ?? bars[0]
  const limit = Math.abs(floor.figure.median) * LONGEST_IN_FLOORS
  const shown = bars.map(({ figure }) => figure.max).filter((value) => value <= limit)
  const end = Math.max(...shown, ...bars.map(({ figure }) => Math.min(figure.median, limit)))
  return end > 0 ? end * 1.03 : 1
}

function barRow({ name, version, kind, figure }, { unit, digits }, y, x) {
  const middle = y + ROW / 2
  const end = x(figure.median)
  const drawn = [
    text(LABELS - 8, middle + 4, version ? `${name} ${version}` : name, '', 'text-anchor="end"'),
    rect(LABELS, middle - BAR / 2, end.at - LABELS, BAR, kind),
  ]
  if (end.cut) {
    const at = end.at - 16
    drawn.push(`<path d="M${at} ${middle - 9} l6 0 l-4 18 l-6 0 z" class="break"/>`)
  } else {
    const [low, high] = [x(figure.min).at, x(figure.max).at]
    drawn.push(line(low, middle, high, middle, 'whisker'))
    for (const at of [low, high]) drawn.push(line(at, middle - 4, at, middle + 4, 'whisker'))
  }
  const value = `${number(figure.median, digits)} ${unit}`
  drawn.push(text(LABELS + BARS + VALUES, middle + 4, value, '', 'text-anchor="end"'))
  if (figure.ratio && figure.ratio.to !== name) {
    drawn.push(text(LABELS + BARS + VALUES + 16, middle + 4, `${spread(figure.ratio, 2)} x`))
  }
  return drawn
}

function panel(bars, figure, heading, top) {
  const scale = scaleOf(bars)
  const x = (value) => {
    const share = Math.max(0, value) / scale
    return { at: LABELS + Math.min(1, share) * BARS, cut: share > 1 }
  }
  const drawn = [text(MARGIN, top + 14, heading, 'group')]
  const first = top + 24
  bars.forEach((bar, index) => drawn.push(...barRow(bar, figure, first + index * ROW, x)))
  const floor = bars.find(({ kind }) => kind === 'floor')
  if (floor) {
    const at = x(floor.figure.median).at
    drawn.push(line(at, first, at, first + bars.length * ROW, 'axis'))
  }
  return { drawn, bottom: first + bars.length * ROW + 14 }
}

export function chart({ benchmark, what, machine, date, repeat, figures, groups, contestants }) {
  const drawn = [
    text(MARGIN, 30, `${benchmark}: ${what}`, 'title'),
    text(
      MARGIN,
      50,
      `median and range of ${repeat} rounds, shorter is better; Node ${machine.node}, ${machine.kernel}, ${machine.cpu}, ${date.slice(0, 10)}`,
      'quiet',
    ),
  ]
  let top = 68
  for (const group of groups) {
    for (const figure of figures.filter(({ chart: wanted }) => wanted !== false)) {
      const bars = contestants
        .filter((contestant) => contestant.group === group && contestant.figures[figure.key])
        .map((contestant) => ({ ...contestant, figure: contestant.figures[figure.key] }))
      if (bars.length === 0) continue
      const heading = figure.label ? `${group}: ${figure.label}` : group
      const { drawn: lines, bottom } = panel(bars, { digits: 0, ...figure }, heading, top)
      drawn.push(...lines)
      top = bottom
    }
  }
  for (const name of missingNames(contestants)) {
    drawn.push(text(MARGIN, top + 4, `missing: ${name}`, 'quiet'))
    top += 16
  }
  const height = top + 8
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(`${benchmark}: ${what}`)}">`,
    `<style>${STYLE}\n</style>`,
    `<rect width="${WIDTH}" height="${height}" class="page"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n')
}

/** Each name once, however many groups it is missing from. */
export function missingNames(contestants) {
  const reasons = contestants.filter(({ missing }) => missing).map(({ name, missing }) => `${name} (${missing})`)
  return [...new Set(reasons)]
}
