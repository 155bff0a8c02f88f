/** Writes what was measured as Markdown, and into `bench/RESULTS.md` between its markers. */
import fs from 'node:fs';
import path from 'node:path';
import { projectRoot } from './paths.mjs';
import { table } from './tables.mjs';

const RESULTS = path.join(projectRoot, 'bench/RESULTS.md');
const BEGIN = '<!-- begin: written by npm run bench -->';
const END = '<!-- end -->';
const GATES = table(['promise', 'wanted', 'measured', 'state'], []).split('\n');

const suiteBegin = (name) => `<!-- suite: ${name} -->`;

/**
 * One suite: when and how it was measured, what it promises, and its figures.
 *
 * @param {string} name
 * @param {[string, string][]} environment
 * @param {import('./measure.mjs').SuiteReport} report
 * @returns {string}
 */
export function render(name, environment, { title, text, gates }) {
  const conditions = environment.map(([label, value]) => `${label}: ${value}`).join('; ');
  return [suiteBegin(name), `## ${title}`, '', `<sub>${conditions}</sub>`, '', gatesTable(gates), '', ...text].join(
    '\n',
  );
}

function gatesTable(gates) {
  const rows = gates.map(({ promise, want, got, state }) => [promise, want, got, state]);
  return gates.length === 0 ? '' : table(['promise', 'wanted', 'measured', 'state'], rows);
}

/**
 * Replaces one suite between the markers and leaves the others as they were measured; all promises stand together at
 * the top.
 *
 * @param {string} name
 * @param {readonly string[]} order all suites, as they are to stand
 * @param {string} markdown
 * @throws {Error} when the file has lost its markers
 */
export function writeResults(name, order, markdown) {
  const old = fs.readFileSync(RESULTS, 'utf8');
  const from = old.indexOf(BEGIN);
  const to = old.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error('bench/RESULTS.md has lost its markers');
  const sections = new Map();
  for (const section of old
    .slice(from, to)
    .split(/^(?=<!-- suite: )/m)
    .slice(1)) {
    sections.set(/^<!-- suite: (\S+) -->/.exec(section)?.[1], section.trim());
  }
  sections.set(name, markdown);
  const present = order.filter((each) => sections.has(each)).map((each) => sections.get(each));
  const gates = present.flatMap((section) => gateRows(section));
  const all = ['## Gates', '', ...GATES, ...gates, '', present.join('\n\n')].join('\n');
  fs.writeFileSync(RESULTS, `${old.slice(0, from)}${BEGIN}\n\n${all}\n\n${old.slice(to)}`);
}

function gateRows(section) {
  const lines = section.split('\n');
  const head = lines.indexOf(GATES[0]);
  if (head < 0) return [];
  const end = lines.indexOf('', head);
  return lines.slice(head + GATES.length, end < 0 ? undefined : end);
}
