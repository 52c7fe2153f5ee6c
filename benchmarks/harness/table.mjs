/** A benchmark's results in words: a table for each group, and one of the targets. */

export const number = (value, digits = 0) =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** Median and spread; never the one without the other. */
export const spread = ({ median, min, max }, digits) =>
  `${number(median, digits)} (${number(min, digits)}..${number(max, digits)})`

const label = ({ name, version }) => (version ? `${name} ${version}` : name)

/** A row for each contestant, a column for each figure that the group has, and one for its ratios if it has them. */
function groupTable(result, group) {
  const members = result.contestants.filter((contestant) => contestant.group === group)
  const measured = members.filter(({ missing }) => !missing)
  const columns = result.figures
    .filter(({ key }) => measured.some(({ figures }) => figures[key]))
    .map((figure) => {
      const bases = new Set(measured.map((one) => ratioOf(one, figure.key)?.to).filter(Boolean))
      return { ...figure, compared: bases.size > 0, base: bases.size === 1 ? [...bases][0] : 'its own without' }
    })
  const header = columns.flatMap(({ label: what, unit, compared, base }) => [
    [what, unit].filter(Boolean).join(', '),
    ...(compared ? [`to ${base}`] : []),
  ])
  const body = members.map((contestant) => {
    const reason = contestant.missing && `missing: ${contestant.missing}`
    const cells = columns.flatMap(({ key, digits = 0, compared }) => {
      const figure = contestant.figures[key]
      const ratio = ratioOf(contestant, key)
      return [figure ? spread(figure, digits) : '', ...(compared ? [ratio ? `${spread(ratio, 2)} x` : ''] : [])]
    })
    return [label(contestant), ...(reason ? [reason, ...cells.slice(1)] : cells)]
  })
  return grid(['median (min..max)', ...(header.length > 0 ? header : [''])], body)
}

function ratioOf({ name, figures }, key) {
  const ratio = figures[key]?.ratio
  return ratio?.to === name ? undefined : ratio
}

function grid(header, body) {
  const widths = header.map((_, column) => Math.max(...[header, ...body].map((row) => (row[column] ?? '').length)))
  const line = (row) => `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`
  return [line(header), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...body.map(line)].join('\n')
}

export const MET = { true: 'met', false: 'NOT MET', undefined: 'not measured' }

/** The bound in words, and what was measured against it. */
export function targetRow(target, digits) {
  const { atMost, atLeast, over, ratio, measured, met } = target
  const unit = ratio ? ' x' : ''
  const bound = atMost !== undefined ? `<= ${atMost}${unit}` : `>= ${atLeast}${unit}`
  const shown = measured ? `${spread(measured, ratio ? 2 : digits)}${unit}` : ''
  const what = target.rival ? `${target.what} (${target.rival})` : target.what
  return [what, over === 'median' ? bound : `${over} ${bound}`, shown, MET[met]]
}

export function tables(result) {
  const digitsOf = (key) => result.figures.find((figure) => figure.key === key)?.digits ?? 0
  const parts = result.groups.map((group) => `${group}\n\n${groupTable(result, group)}`)
  if (result.targets.length > 0) {
    const body = result.targets.map((target) => targetRow(target, digitsOf(target.figure)))
    parts.push(grid(['target', 'bound', 'measured (min..max)', ''], body))
  }
  return parts.join('\n\n')
}
