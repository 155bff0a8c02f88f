// Models with variants: one file that Verifpal reads as it is, and marks in its comments that say
// which lines other variants have, and what each query must give in each. models/README.md has the
// marks from a reader's side.

import { SetupError } from './project.mjs';

/**
 * @typedef {object} Variant
 * @property {string} name
 * @property {string} description
 * @property {number} sessions how many runs of the protocol at once
 * @property {boolean} isLong whether it takes minutes
 */

/**
 * @typedef {object} Instance one variant of a model, ready to run
 * @property {Variant} variant
 * @property {string} text what Verifpal reads
 * @property {{query: string, expected: 'holds' | 'attack'}[]} queries in the order of the text
 */

/**
 * Every variant of a model.
 *
 * @param {string} source text of the file
 * @param {string} file its name, for messages
 * @returns {Instance[]}
 * @throws {SetupError} when a mark names no variant, or a query has no expectation
 */
export function instancesOf(source, file) {
  const lines = source.split('\n');
  const variants = lines.flatMap((line) => {
    const match = /^\/\/% (\S+) +(.+?)(?: {2}\((?:sessions (\d+))?(?:, )?(long)?\))?$/.exec(line);
    if (match === null) return [];
    const [, name, description, sessions = '1', long] = match;
    return [{ name, description, sessions: Number(sessions), isLong: long !== undefined }];
  });
  if (variants.length === 0) throw new SetupError(`${file}: no variant is declared`);
  const names = new Set(variants.map(({ name }) => name));
  checkMarks(lines, names, file);
  return variants.map((variant) => instantiate(lines, variant, file));
}

/**
 * @param {string[]} lines
 * @param {Variant} variant
 * @param {string} file
 * @returns {Instance}
 */
function instantiate(lines, variant, file) {
  /** @type {Instance['queries']} */
  const queries = [];
  const kept = lines.flatMap((line, index) => {
    const added = /^ *\/\/\+ ([\w, -]+): ?(.*)$/.exec(line);
    if (added !== null) return list(added[1]).includes(variant.name) ? [added[2]] : [];
    const left = / *\/\/- ([\w, -]+)$/.exec(line);
    if (left !== null) return list(left[1]).includes(variant.name) ? [] : [line.slice(0, left.index)];
    if (!/^ *(confidentiality|authentication|freshness|unlinkability|equivalence)\?/.test(line)) return [line];
    const [query, mark] = line.split('//=').map((part) => part.trim());
    const expected = mark === undefined ? undefined : expectation(mark, variant.name);
    if (expected === undefined) throw new SetupError(`${file}:${index + 1}: what is expected here?`);
    if (expected === 'none') return [];
    queries.push({ query, expected });
    return [query];
  });
  return { variant, text: kept.join('\n'), queries };
}

/**
 * @param {string} mark such as `holds; attack in a, b; none in c`
 * @param {string} variant
 * @returns {'holds' | 'attack' | 'none' | undefined}
 */
function expectation(mark, variant) {
  const [usual, ...others] = mark.split(';').map((part) => part.trim());
  for (const other of others) {
    const [verdict, names] = other.split(' in ');
    if (list(names ?? '').includes(variant)) return verdictOf(verdict);
  }
  return verdictOf(usual);
}

/**
 * @param {string} word
 */
function verdictOf(word) {
  return word === 'holds' || word === 'attack' || word === 'none' ? word : undefined;
}

/**
 * A misspelt variant would silently change nothing.
 *
 * @param {string[]} lines
 * @param {Set<string>} names
 * @param {string} file
 */
function checkMarks(lines, names, file) {
  for (const [index, line] of lines.entries()) {
    const marks = [/\/\/\+ ([\w, -]+):/.exec(line)?.[1], /\/\/- ([\w, -]+)$/.exec(line)?.[1]];
    if (line.includes('//='))
      marks.push(...[...line.replace(/.*\/\/=/, '').matchAll(/ in ([\w, -]+)/g)].map((match) => match[1]));
    const unknown = marks.flatMap((mark) => list(mark ?? '')).find((name) => !names.has(name));
    if (unknown !== undefined) throw new SetupError(`${file}:${index + 1}: no variant is called ${unknown}`);
  }
}

/**
 * @param {string} names
 */
function list(names) {
  return names.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));
}
