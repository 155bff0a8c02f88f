/**
 * Where the command line's words go: data and `--json` objects to standard output, everything for people to standard
 * error. With `get … -` standard output carries the file, so the JSON objects move to standard error.
 */
import type { CliEvent, CliEventBody } from './events.js';

/** The part of a stream that is written to; `isTTY` decides about colours and bars. */
export interface OutputStream {
  write(chunk: string): boolean;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  /** True while more was written than the reader has taken. */
  writableNeedDrain?: boolean | undefined;
  once?(event: 'drain', listener: () => void): unknown;
}

/** How an {@link Output} behaves; every field has the default of an interactive run. */
export interface OutputOptions {
  /** Write NDJSON objects and no prose. */
  json?: boolean;
  /** No progress, no success lines; warnings and errors stay. */
  quiet?: boolean;
  /** 0, 1 (`-v`) or 2 (`-vv`: stack traces). */
  verbosity?: number;
  /** False forbids colour; true allows it where the stream is a terminal. */
  color?: boolean;
  stdout?: OutputStream;
  stderr?: OutputStream;
  /** The clock of the events. */
  now?: () => Date;
}

/** What JSON allows raw but a terminal acts on: DEL, C1 controls, bidirectional controls. All are one UTF-16 unit. */
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** `\uNNNN`: the same value to whoever parses the JSON. */
function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green';
const CODES: Record<Style, readonly [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
};

/** The two output streams of one run. */
export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbosity: number;
  readonly color: boolean;
  readonly stderr: OutputStream;
  readonly #stdout: OutputStream;
  readonly #now: () => Date;
  #stdoutCarriesFile = false;
  #beforeLine: (() => void) | undefined;

  constructor(options: OutputOptions = {}) {
    this.json = options.json ?? false;
    this.quiet = options.quiet ?? false;
    this.verbosity = options.verbosity ?? 0;
    this.#stdout = options.stdout ?? process.stdout;
    this.stderr = options.stderr ?? process.stderr;
    this.color = (options.color ?? true) && this.stderr.isTTY === true;
    this.#now = options.now ?? ((): Date => new Date());
  }

  /** From now on standard output belongs to the bytes of a file. */
  reserveStdout(): void {
    this.#stdoutCarriesFile = true;
  }

  /** Called before each line for people, so that a progress bar can get out of the way. */
  onBeforeLine(callback: (() => void) | undefined): void {
    this.#beforeLine = callback;
  }

  /** Writes one `--json` object where those go. */
  event(body: CliEventBody): void {
    this.writeEvent(body, this.#stdoutCarriesFile ? this.stderr : this.#stdout);
  }

  /** Writes one object to a stream of the caller's choice (`--progress json`). */
  writeEvent(body: CliEventBody, stream: OutputStream): void {
    const { type, ...fields } = body;
    const event = { v: 1, type, time: this.#now().toISOString(), ...fields } as CliEvent;
    // JSON.stringify writes lone surrogates as \udcNN escapes, so names that are not UTF-8 survive.
    stream.write(`${JSON.stringify(event).replace(UNSAFE, escapeUnit)}\n`);
  }

  /** One line of data (a listing row, a public key) on standard output; already escaped. */
  data(line: string): void {
    this.#stdout.write(`${line}\n`);
  }

  /** Whether more was written to standard output than its reader has taken. */
  get isAhead(): boolean {
    return this.#stdout.writableNeedDrain === true && this.#stdout.once !== undefined;
  }

  /** Resolves when the reader of standard output has caught up: for loops that may write more than memory holds. */
  async caughtUp(): Promise<void> {
    if (this.isAhead) await new Promise<void>((resolve) => void this.#stdout.once?.('drain', resolve));
  }

  /** One line for people on standard error; silent with `-q` and with `--json`. */
  note(line: string): void {
    if (!this.quiet && !this.json) this.#say(line);
  }

  /** As {@link note}, only with `-v`. */
  detail(line: string): void {
    if (this.verbosity > 0) this.note(line);
  }

  /** A warning on standard error, also with `-q` and `--json`. */
  warn(line: string): void {
    this.#say(`${this.style('yellow', 'warning')}: ${line}`);
  }

  /** A line on standard error that nothing silences: errors and questions. */
  error(line: string): void {
    this.#say(line);
  }

  /** Colours a piece of a line for people, where colour is wanted. */
  style(style: Style, text: string): string {
    if (!this.color) return text;
    const [on, off] = CODES[style];
    return `\u001b[${on}m${text}\u001b[${off}m`;
  }

  #say(line: string): void {
    this.#beforeLine?.();
    this.stderr.write(`${line}\n`);
  }
}

/** `NO_COLOR` (no-color.org), `TERM=dumb` and `--no-color` forbid colour. */
export function colorAllowed(flag: boolean, env: NodeJS.ProcessEnv): boolean {
  return flag && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}
