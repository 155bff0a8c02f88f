/** What the project promises itself, judged on the medians of a run. Reported, never asserted. */

/**
 * @typedef {object} Gate
 * @property {string} promise
 * @property {string} want
 * @property {string} got
 * @property {'pass' | 'MISS' | 'not measured'} state
 */

/**
 * @param {string} promise
 * @param {number} value NaN when it was not measured
 * @param {{least?: number, most?: number, below?: number, digits?: number, unit?: string}} limit
 * @returns {Gate}
 */
export function gate(promise, value, { least, most, below, digits = 2, unit = '' }) {
  const suffix = unit === '' ? '' : ` ${unit}`;
  const want = least !== undefined ? `≥ ${least}` : most !== undefined ? `≤ ${most}` : `< ${below}`;
  const judged = { promise, want: want + suffix };
  if (!Number.isFinite(value)) return { ...judged, got: '–', state: 'not measured' };
  const kept =
    (least === undefined || value >= least) &&
    (most === undefined || value <= most) &&
    (below === undefined || value < below);
  return { ...judged, got: value.toFixed(digits) + suffix, state: kept ? 'pass' : 'MISS' };
}
