/** Medians and ratios of samples. */

/** @param {number[]} values @returns {number} the median; NaN of nothing */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {number[]} values */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The median over rounds of `numerator / denominator` in the same round.
 *
 * @template S
 * @param {S[]} numerators samples by round
 * @param {(sample: S) => number} top
 * @param {S[]} denominators samples by round
 * @param {(sample: S) => number} [bottom]
 * @returns {number} NaN when no round has both
 */
export function medianRatio(numerators, top, denominators, bottom = top) {
  const ratios = [];
  for (const [round, sample] of numerators.entries()) {
    const other = denominators[round];
    if (sample && other) ratios.push(top(sample) / bottom(other));
  }
  return median(ratios);
}
