/**
 * Where each key of a TOML text stands. The parser does not tell, so the text is given to it statement by statement: a
 * statement ends with the first line that makes it whole.
 */
import { parse, type TomlTable } from 'smol-toml';

/** A place in a text, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** No statement of a configuration needs more lines; each further line would cost another parse of all before it. */
export const MOST_LINES = 100;

/** One text for a path of keys; a key may have any characters. */
function pathId(path: readonly string[]): string {
  return JSON.stringify(path);
}

/** The places of the keys and table headers of one text. */
export class TomlPlaces {
  /** Where a statement has more lines than {@link MOST_LINES}; what follows it has no places. */
  readonly tooLong: Place | undefined;
  readonly #places = new Map<string, Place>();

  /** @param text a whole TOML document that the parser accepts. */
  constructor(text: string) {
    const lines = text.split('\n');
    let header: readonly string[] = [];
    for (let start = 0; start < lines.length;) {
      if (/^[ \t\r]*(#|$)/.test(lines[start] ?? '')) {
        start += 1;
        continue;
      }
      const column = /\S/.exec(lines[start] ?? '')?.index ?? 0;
      const place = { line: start + 1, column: column + 1 };
      const statement = wholeStatement(lines, start);
      if (statement === undefined) {
        this.tooLong = place;
        return;
      }
      const { table, end } = statement;
      if (lines[start]?.[column] === '[') {
        header = onlyPath(table);
        // The tables above it need no header of their own: they are where they are first named.
        for (let length = 1; length <= header.length; length += 1) this.#keep(header.slice(0, length), place);
      } else {
        this.#keepAll(table, header, place);
      }
      start = end;
    }
  }

  /** The place of a key, or of the nearest thing around it that has one. */
  of(path: readonly string[]): Place | undefined {
    for (let length = path.length; length > 0; length -= 1) {
      const place = this.#places.get(pathId(path.slice(0, length)));
      if (place !== undefined) return place;
    }
    return undefined;
  }

  #keep(path: readonly string[], place: Place): void {
    const id = pathId(path);
    if (!this.#places.has(id)) this.#places.set(id, place);
  }

  #keepAll(table: TomlTable, above: readonly string[], place: Place): void {
    for (const [key, value] of Object.entries(table)) {
      const path = [...above, key];
      this.#keep(path, place);
      if (isTable(value)) this.#keepAll(value, path, place);
    }
  }
}

function wholeStatement(lines: readonly string[], start: number): { table: TomlTable; end: number } | undefined {
  for (let end = start + 1; end <= Math.min(lines.length, start + MOST_LINES); end += 1) {
    try {
      return { table: parse(lines.slice(start, end).join('\n')), end };
    } catch {
      // A string or an array goes on in the next line.
    }
  }
  return undefined;
}

/** The path of a table header, which is all that its line holds. */
function onlyPath(table: TomlTable): string[] {
  const path: string[] = [];
  for (let here: unknown = table; ;) {
    const inner: unknown = Array.isArray(here) ? here[0] : here;
    const [key] = isTable(inner) ? Object.keys(inner) : [];
    if (key === undefined) return path;
    path.push(key);
    here = (inner as TomlTable)[key];
  }
}

/** Whether a value of a TOML document is a table, and not an array, a date or a plain value. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
