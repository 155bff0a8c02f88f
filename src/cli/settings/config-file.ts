/**
 * Reads a configuration file against the table of settings. What is wrong is told all at once, each with file, line,
 * column and what was expected; a file with anything wrong in it is not used at all.
 */
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { parse, TomlError } from 'smol-toml';
import { E2eeftpError } from '../../index.js';
import { nearestName } from './nearest-name.js';
import type { FileValue } from './resolve.js';
import { belongsInto, type Setting } from './setting.js';
import { SETTINGS } from './table.js';
import { isTable, MOST_LINES, type Place, TomlPlaces } from './toml-lines.js';

/** Whose file it is. */
export type ConfigKind = 'client' | 'server';

/** A file that was read and has nothing wrong in it. */
export interface ConfigFile {
  readonly path: string;
  readonly kind: ConfigKind;
  /** Of a client: `[defaults]`; of a server: everything. */
  readonly values: ReadonlyMap<string, FileValue>;
  /** `[peers.NAME]`, by name; none in a server's file. */
  readonly peers: ReadonlyMap<string, ReadonlyMap<string, FileValue>>;
}

/** A name that can stand before the `:` of an address. */
const PEER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;
const SECRET = /pass(word|wd|phrase)|secret|token|private/i;

/** Whose file a text is: by what it holds, else by its name. */
export function kindOf(document: object, path: string): ConfigKind {
  const keys = Object.keys(document);
  if (keys.includes('defaults') || keys.includes('peers')) return 'client';
  if (keys.some((key) => SETTINGS.some((setting) => setting.key === key && setting.scope === 'server')))
    return 'server';
  return /(^|[/\\])server[^/\\]*\.toml$/.test(path) ? 'server' : 'client';
}

/** Reads one text; collects what is wrong. */
class Reader {
  readonly problems: E2eeftpError[] = [];
  readonly #path: string;
  readonly #places: TomlPlaces;
  readonly #kind: ConfigKind;

  constructor(path: string, places: TomlPlaces, kind: ConfigKind) {
    this.#path = path;
    this.#places = places;
    this.#kind = kind;
  }

  problem(keys: readonly string[], message: string, hint?: string): void {
    this.problems.push(problemAt(this.#path, this.#places.of(keys), message, hint));
  }

  /** Reads the settings of a table. @param fits which of this kind of file may stand here. */
  table(content: object, above: readonly string[], fits: (setting: Setting) => boolean): Map<string, FileValue> {
    const values = new Map<string, FileValue>();
    const known = SETTINGS.filter((setting) => belongsInto(setting, this.#kind) && fits(setting));
    for (const [key, value] of Object.entries(content) as [string, unknown][]) {
      const keys = [...above, key];
      const setting = known.find((each) => each.key === key);
      if (setting === undefined) this.#unknown(keys, value, known);
      else {
        const read = this.#value(setting, keys, value);
        const { line } = this.#places.of(keys) ?? { line: 1 };
        const origin = { from: 'file', file: this.#path, line, table: above.join('.') } as const;
        if (read !== undefined) values.set(key, { value: read, origin });
      }
    }
    return values;
  }

  #unknown(keys: readonly string[], value: unknown, known: readonly Setting[]): void {
    const key = keys.at(-1) ?? '';
    const where = keys.length > 1 ? ` in [${keys.slice(0, -1).join('.')}]` : '';
    this.problem(keys, `unknown key '${key}'${where}`, this.#advice(key, value, known, keys));
  }

  #advice(key: string, value: unknown, known: readonly Setting[], keys: readonly string[]): string {
    if (SECRET.test(key))
      return 'a secret has no place in a configuration file; take the line out and change the secret';
    const elsewhere = SETTINGS.find((setting) => setting.key === key && setting.notInFiles !== true);
    if (elsewhere !== undefined && !belongsInto(elsewhere, this.#kind)) {
      return `'${key}' is a setting of a ${elsewhere.scope}: it belongs into the file of one`;
    }
    if (this.#kind === 'server' && (key === 'defaults' || key === 'peers')) {
      return 'this is in the file of a client; name the file of the server with --config';
    }
    if (elsewhere !== undefined && keys[0] === 'peers') return `'${key}' can stand in [defaults] only`;
    if (elsewhere !== undefined && keys.length === 1) return `write it below a line [defaults]`;
    if (elsewhere?.peers === 'only') return `'${key}' can stand in a [peers.NAME] only`;
    if (keys[0] === 'peers' && isTable(value))
      return `a name with dots is quoted: [peers."${keys.slice(1).join('.')}"]`;
    const names = known.map((setting) => setting.key);
    const near = nearestName(key, keys.length === 1 && this.#kind === 'client' ? ['defaults', 'peers'] : names);
    if (near !== undefined) return `did you mean '${near}'?`;
    return this.#kind === 'client' && keys.length === 1
      ? 'a client has the tables [defaults] and [peers.NAME]'
      : `known here: ${names.join(', ')}`;
  }

  /** The value of one key; undefined when it is wrong. */
  #value(setting: Setting, keys: readonly string[], value: unknown): unknown {
    const { type } = setting;
    const items: unknown[] = type.isList === true && Array.isArray(value) ? value : [value];
    const read: unknown[] = [];
    for (const item of items) {
      const kind = tomlKind(item);
      const name = keys.join('.');
      if (Array.isArray(item) || !type.toml.some((each) => each === kind)) {
        this.problem(keys, `${name}: expected ${type.expects}, found ${described(item)}`);
        return undefined;
      }
      const text = String(item);
      if (/\p{Cc}/u.test(text)) {
        this.problem(keys, `${name}: expected ${type.expects}, found a text with a control character in it`);
        return undefined;
      }
      try {
        read.push(type.parse(type.isPath?.(text) === true ? this.#absolute(text) : text));
      } catch (error) {
        if (!(error instanceof InvalidArgumentError)) throw error;
        this.problem(keys, `${name}: expected ${type.expects}, found ${described(item)}`);
        return undefined;
      }
    }
    return type.isList === true ? read : read[0];
  }

  #absolute(path: string): string {
    if (path === '' || isAbsolute(path)) return path;
    return /^~[/\\]/.test(path) ? join(homedir(), path.slice(2)) : resolve(dirname(this.#path), path);
  }
}

function problemAt(path: string, place: Place | undefined, message: string, hint?: string): E2eeftpError {
  const at = place === undefined ? path : `${path}:${place.line}:${place.column}`;
  return new E2eeftpError('E2EEFTP_CONFIG', `${at}: ${message}`, hint === undefined ? {} : { hint });
}

function tomlKind(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'float';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** What was found instead, as short as it can be understood. */
function described(value: unknown): string {
  if (typeof value === 'string') return value.length > 40 ? 'a text' : JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof Date) return 'a date';
  return Array.isArray(value) ? 'a list' : 'a table';
}

/**
 * Reads the text of a configuration file.
 * @param path of the file: relative paths in it start there, and errors name it.
 * @param kind whose file it has to be; by its content when undefined.
 * @throws AggregateError of `E2EEFTP_CONFIG` errors, one for each thing that is wrong.
 */
export function parseConfig(text: string, path: string, kind?: ConfigKind): ConfigFile {
  let document: Record<string, unknown>;
  try {
    document = parse(text, { unsafeKeyBehaviour: 'throw', maxDepth: 16 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const message = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
    // The parser accepts no key that means something else to JavaScript.
    const hint = message.endsWith('unsafe property')
      ? 'no key, table or peer can have the name __proto__ or constructor'
      : 'this is not TOML; see https://toml.io';
    const problem = problemAt(path, error, message, hint);
    throw new AggregateError([problem], problem.message, { cause: error });
  }
  const is = kind ?? kindOf(document, path);
  const places = new TomlPlaces(text);
  if (places.tooLong !== undefined) {
    throw new AggregateError([problemAt(path, places.tooLong, `a value has more than ${MOST_LINES} lines`)]);
  }
  const reader = new Reader(path, places, is);
  const peers = new Map<string, ReadonlyMap<string, FileValue>>();
  let values: Map<string, FileValue>;
  if (is === 'server') {
    values = reader.table(document, [], () => true);
  } else {
    const { defaults = {}, peers: named = {}, ...rest } = document;
    reader.table(rest, [], () => false);
    values = tableAt(reader, ['defaults'], defaults, (setting) => setting.peers !== 'only');
    if (isTable(named)) {
      for (const [name, content] of Object.entries(named)) {
        if (!PEER_NAME.test(name)) {
          reader.problem(['peers', name], `'${name}' can't be the name of a peer`, 'letters, digits, dot, - and _ can');
        }
        peers.set(
          name,
          tableAt(reader, ['peers', name], content, (setting) => setting.peers !== undefined),
        );
      }
    } else reader.problem(['peers'], 'peers: expected tables [peers.NAME]');
  }
  if (reader.problems.length > 0) throw new AggregateError(reader.problems);
  return { path, kind: is, values, peers };
}

function tableAt(
  reader: Reader,
  keys: readonly string[],
  content: unknown,
  fits: (setting: Setting) => boolean,
): Map<string, FileValue> {
  if (isTable(content)) return reader.table(content, keys, fits);
  reader.problem(keys, `${keys.join('.')}: expected a table, found ${described(content)}`);
  return new Map();
}
