/** Markdown tables and the way numbers are written in them. */
import { spread } from './stats.mjs';

const GIB = 2 ** 30;

/** @param {string[]} heads @param {string[][]} rows @returns {string} */
export function table(heads, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

/** @returns {string} a number, or a dash when there is none */
export function figure(value, digits = 2) {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}

/** @returns {string} `median (min–max)` */
export function range(values, digits = 2) {
  if (values.length === 0) return '–';
  const { median, min, max } = spread(values);
  return `${figure(median, digits)} (${figure(min, digits)}–${figure(max, digits)})`;
}

/** @param {import('./rounds.mjs').Sample} sample @returns {number} GB/s of the whole command */
export function commandRate({ bytes, seconds }) {
  return bytes / seconds / 1e9;
}

/** @returns {number} GB/s of the transfer alone, or of the whole command where it is not known */
export function transferRate({ bytes, seconds, transferSeconds }) {
  return bytes / (transferSeconds ?? seconds) / 1e9;
}

/** @returns {number} CPU seconds for each GiB of `cpu` seconds */
export function perGib({ bytes }, cpu) {
  return (cpu / bytes) * GIB;
}

/** @returns {number} CPU seconds per GiB of both sides */
export function totalCpu(sample) {
  return perGib(sample, sample.clientCpu + sample.serverCpu);
}

/** @returns {string | null} the reason that stands in a row without figures */
export function absence({ missing, failure, samples }) {
  if (missing !== null) return `not measured: ${missing}`;
  if (failure !== null) return `failed: ${failure}`;
  return samples.length === 0 ? 'not measured' : null;
}
