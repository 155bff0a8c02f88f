/**
 * What could stand at the cursor: the answer to `e2eeftp __complete WORD… :CURRENT`, which the scripts of the shells
 * call. The words are those before the cursor without the program's name, and the last one, behind a colon that keeps
 * it from being empty, is the one that is being typed, as far as it goes.
 *
 * The answer is a candidate a line, `TEXT` or `TEXT<TAB>DESCRIPTION`, and a last line that asks the shell for names of
 * its own: `:files`, `:directories` or `:`. A text that ends with `/`, `:` or `=` goes on.
 *
 * Never asks, never writes a file, never fails: whatever goes wrong, there are no candidates.
 */
import { Command, type Option } from 'commander';
import { addGlobalOptions } from '../global-options.js';
import { configureVerb, VERBS, type VerbEntry } from '../verbs.js';

/** One thing that could stand at the cursor. */
export interface Candidate {
  text: string;
  description?: string;
}

/** What is known about the word at the cursor. */
interface Found {
  candidates: Candidate[];
  /** What the shell adds by itself. */
  local?: 'files' | 'directories' | undefined;
}

/** The command line before the cursor, as far as it is understood. */
interface Reading {
  entry: VerbEntry | undefined;
  command: Command;
  /** The words of the verb before the cursor. */
  words: string[];
  /** How many of them are operands. */
  operandCount: number;
  /** The option that the word at the cursor is the value of. */
  pending: Option | undefined;
  /** After `--` nothing is an option. */
  isPlain: boolean;
}

/** Names that a terminal acts on can't be completed. */
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/u;

/** Answers the shell on standard output. @returns the exit code, always 0. */
export async function complete(words: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  let found: Found = { candidates: [] };
  const current = words.at(-1) ?? '';
  if (current.startsWith(':')) {
    // A half-typed command line is wrong in many ways; none of them is worth a word here.
    found = await candidatesFor(words.slice(0, -1), current.slice(1), env).catch(() => found);
  }
  const lines = found.candidates
    .filter(({ text }) => !UNSAFE.test(text))
    .map(({ text, description }) => (description === undefined ? text : `${text}\t${description}`));
  process.stdout.write(`${[...lines, `:${found.local ?? ''}`].join('\n')}\n`);
  return 0;
}

async function candidatesFor(before: readonly string[], current: string, env: NodeJS.ProcessEnv): Promise<Found> {
  const reading = await read(before);
  const { pending, command, isPlain, entry } = reading;
  if (pending !== undefined) return valuesOf(pending, current, '', reading, env);
  if (!isPlain && current.startsWith('-')) {
    const equals = current.indexOf('=');
    if (equals < 0) return { candidates: startingWith(optionsOf(command), current) };
    const option = findOption(command, current.slice(0, equals));
    if (option === undefined || !takesValue(option)) return { candidates: [] };
    return valuesOf(option, current.slice(equals + 1), current.slice(0, equals + 1), reading, env);
  }
  if (entry === undefined) return { candidates: startingWith(verbNames(), current) };
  const args = command.registeredArguments;
  const argument = args[reading.operandCount] ?? (args.at(-1)?.variadic === true ? args.at(-1) : undefined);
  if (argument === undefined) return { candidates: [] };
  if (argument.argChoices !== undefined) return { candidates: startingWith(plain(argument.argChoices), current) };
  return namesFor(argument.name(), current, reading, env);
}

/** Finds the verb and what of it is there already. */
async function read(before: readonly string[]): Promise<Reading> {
  const program = addGlobalOptions(
    new Command('e2eeftp').exitOverride().configureOutput({ outputError: () => undefined }),
  );
  let command = program;
  let entry: VerbEntry | undefined;
  let pending: Option | undefined;
  let isPlain = false;
  let operandCount = 0;
  const words: string[] = [];
  const own: string[] = [];
  for (const word of before) {
    if (entry === undefined) own.push(word);
    else words.push(word);
    if (pending !== undefined) pending = undefined;
    else if (!isPlain && word === '--') isPlain = true;
    else if (!isPlain && word.startsWith('-') && word !== '-') {
      const option = findOption(command, word);
      pending =
        option !== undefined && takesValue(option) && !word.includes('=') && isWhole(option, word) ? option : undefined;
    } else if (entry === undefined) {
      own.pop();
      entry = VERBS.find(({ name, alias }) => word === name || word === alias);
      if (entry === undefined) throw new Error('no such verb');
      const { verb } = await entry.load();
      command = configureVerb(program.command(entry.name), verb);
    } else operandCount += 1;
  }
  // Options without their values yet would be an error.
  program.parseOptions(pending !== undefined && entry === undefined ? own.slice(0, -1) : own);
  if (entry !== undefined) command.parseOptions(pending === undefined ? words : words.slice(0, -1));
  return { entry, command, words, operandCount, pending, isPlain };
}

/** `-P` and `--port`, but not `-P5001`. */
function isWhole(option: Option, word: string): boolean {
  return word === option.long || word === option.short;
}

function findOption(command: Command, word: string): Option | undefined {
  const name = word.replace(/=.*$/s, '');
  return command.options.find(({ long, short }) => long === name || (short !== undefined && word.startsWith(short)));
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function optionsOf(command: Command): Candidate[] {
  const visible = command.options.filter((option) => !option.hidden && option.long !== undefined);
  const all = visible.map(({ long, description }) => ({ text: long as string, description: shortened(description) }));
  return [...all, { text: '--help', description: 'show this help' }];
}

function verbNames(): Candidate[] {
  return VERBS.flatMap(({ name, alias, summary }) => {
    const names = alias === undefined ? [name] : [name, alias];
    return names.map((text) => ({ text, description: summary }));
  });
}

/** Without the environment variable, and in one line. */
function shortened(description: string): string {
  return description.replace(/ \[E2EEFTP_\w+\]$/, '').replaceAll(/\s+/g, ' ');
}

function plain(texts: readonly string[]): Candidate[] {
  return texts.map((text) => ({ text }));
}

function startingWith(candidates: readonly Candidate[], start: string): Candidate[] {
  return candidates.filter(({ text }) => text.startsWith(start));
}

/** The values of an option. @param before what stands before the value in the same word: `--option=`. */
async function valuesOf(
  option: Option,
  current: string,
  before: string,
  reading: Reading,
  env: NodeJS.ProcessEnv,
): Promise<Found> {
  const found: Found =
    option.argChoices === undefined
      ? await namesFor(/[<[](.*)[>\]]/.exec(option.flags)?.[1] ?? '', current, reading, env)
      : { candidates: startingWith(plain(option.argChoices), current) };
  return { ...found, candidates: found.candidates.map((each) => ({ ...each, text: `${before}${each.text}` })) };
}

/** What an argument or a value of this name in the help may be: `peer:path`, `peer`, `file`, `source`, `dir`, … */
async function namesFor(name: string, current: string, { command }: Reading, env: NodeJS.ProcessEnv): Promise<Found> {
  const local = /\b(file|files|source|dest|key)\b/.test(name)
    ? 'files'
    : /\b(dir|directory|root)\b/.test(name)
      ? 'directories'
      : undefined;
  if (/\b(peer:path|target)\b/.test(name)) {
    const { addressCandidates } = await import('./remote.js');
    const candidates = await addressCandidates(command, env, current);
    // Behind `PEER:` there are no local files.
    return { candidates, local: /^[^/]*:/.test(current) ? undefined : local };
  }
  if (/\bpeer\b/.test(name)) {
    const { peerCandidates } = await import('./remote.js');
    return { candidates: startingWith(await peerCandidates(command, env), current), local };
  }
  return { candidates: [], local };
}
