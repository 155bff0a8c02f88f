/** Interleaved rounds: every case once per round, in a rotating order, after one warm-up round. */
import { foreignLoad } from './cpu.mjs';
import { Stopped } from './processes.mjs';

/**
 * @typedef {object} Sample
 * @property {number} bytes
 * @property {number} seconds from the start of the command to its end
 * @property {number | null} transferSeconds what the peer itself says the transfer took
 * @property {number} clientCpu CPU seconds
 * @property {number} serverCpu CPU seconds
 * @property {number} clientMemory bytes at the peak; NaN when not watched
 * @property {number} serverMemory bytes at the peak; NaN when not watched
 */

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {string | null} [missing] why it can't be measured
 * @property {(options: {warmUp: boolean}) => Promise<object>} run gives one sample; in the warm-up
 *   round it also proves that the work was done right
 */

/**
 * @typedef {object} CaseResult
 * @property {string} name
 * @property {any[]} samples by round
 * @property {string | null} missing why there are none
 * @property {string | null} failure the error that ended this case
 */

/**
 * @param {Case[]} cases
 * @param {import('./measure.mjs').Bench} bench
 * @returns {Promise<Map<string, CaseResult>>}
 */
export async function runRounds(cases, bench) {
  const results = new Map();
  for (const { name, missing = null } of cases) {
    results.set(name, { name, samples: [], missing, failure: null });
  }
  for (let round = -1; round < bench.options.rounds; round++) {
    bench.foreignLoads.push(await foreignLoad());
    for (const current of rotated(cases, Math.max(round, 0))) {
      const result = results.get(current.name);
      if (result.missing === null && result.failure === null) {
        await runCase(current, result, round, bench.log);
      }
    }
  }
  return results;
}

async function runCase(current, result, round, log) {
  const warmUp = round < 0;
  try {
    const sample = await current.run({ warmUp });
    if (!warmUp) result.samples[round] = sample;
    log(`  ${warmUp ? 'warm-up' : `round ${round + 1}`}  ${current.name}  ${brief(sample)}`);
  } catch (error) {
    if (error instanceof Stopped) throw error;
    result.failure = error.message.split('\n', 1)[0];
    log(`  FAILED   ${current.name}: ${error.message}`);
  }
}

function brief({ bytes, seconds }) {
  if (bytes === undefined || seconds === undefined) return '';
  return `${seconds.toFixed(2)} s  ${(bytes / seconds / 1e9).toFixed(2)} GB/s`;
}

function rotated(cases, by) {
  const first = by % Math.max(cases.length, 1);
  return [...cases.slice(first), ...cases.slice(0, first)];
}
