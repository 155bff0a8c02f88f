/** Writes what was measured as Markdown, and into `bench/RESULTS.md` between its markers. */
import fs from 'node:fs';
import path from 'node:path';
import { projectRoot } from './paths.mjs';
import { table } from './tables.mjs';

const RESULTS = path.join(projectRoot, 'bench/RESULTS.md');
const BEGIN = '<!-- begin: written by npm run bench -->';
const END = '<!-- end -->';

/**
 * @param {[string, string][]} environment
 * @param {import('./measure.mjs').SuiteReport[]} reports
 * @returns {string}
 */
export function render(environment, reports) {
  const gates = reports.flatMap((report) => report.gates);
  const parts = [
    ['## Conditions', table(['condition', 'value'], environment)],
    ['## Gates', gatesTable(gates)],
    ...reports.map(({ title, text }) => [`## ${title}`, text.join('\n')]),
  ];
  return parts.map(([title, body]) => `${title}\n\n${body}`).join('\n\n');
}

function gatesTable(gates) {
  return table(
    ['promise', 'wanted', 'measured', 'state'],
    gates.map(({ promise, want, got, state }) => [promise, want, got, state]),
  );
}

/**
 * Replaces what stands between the markers.
 *
 * @param {string} markdown
 * @throws {Error} when the file has lost its markers
 */
export function writeResults(markdown) {
  const old = fs.readFileSync(RESULTS, 'utf8');
  const from = old.indexOf(BEGIN);
  const to = old.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error('bench/RESULTS.md has lost its markers');
  const text = `${old.slice(0, from)}${BEGIN}\n\n${markdown}\n\n${old.slice(to)}`;
  fs.writeFileSync(RESULTS, text);
}
