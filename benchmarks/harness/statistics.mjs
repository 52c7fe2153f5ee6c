/** What a list of samples, one for each round, says. A round in which a contestant failed has NaN. */

const finite = (samples) => samples.filter(Number.isFinite)

/** Between the two neighbours where it falls between them. */
export function quantile(samples, q) {
  const sorted = finite(samples).sort((a, b) => a - b)
  if (sorted.length === 0) return NaN
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)]
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at))
}

export const median = (samples) => quantile(samples, 0.5)

/** Median and spread; undefined without a single sample. */
export function summarize(samples) {
  const count = finite(samples).length
  if (count === 0) return undefined
  return {
    median: median(samples),
    min: quantile(samples, 0),
    max: quantile(samples, 1),
    q1: quantile(samples, 0.25),
    q3: quantile(samples, 0.75),
    count,
    samples,
  }
}

/** Sample by sample: on a noisy machine only what was measured in one round may be compared. */
export const ratios = (samples, floor) => samples.map((sample, round) => sample / (floor[round] ?? NaN))
