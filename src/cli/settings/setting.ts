/**
 * What a setting is. One row of the table in `table.ts` makes the option, the environment variable, the key in a file,
 * and the line in `--help`, in the manual page and in `docs/CLI.md`.
 */

/** In which of the two files a setting may stand: the client's, the server's, or both. */
export type Scope = 'client' | 'server' | 'every';

/** The types of TOML that a value may have in a file. */
export type TomlKind = 'string' | 'integer' | 'float' | 'boolean' | 'array';

/** How the values of a setting are written and read. */
export interface ValueType {
  /** Completes "expected …". */
  readonly expects: string;
  readonly toml: readonly TomlKind[];
  /**
   * Reads the argument of the option, the environment variable, or the text of a value in a file.
   * @throws InvalidArgumentError for anything else than what {@link expects} says.
   */
  readonly parse: (text: string) => unknown;
  /** The only values, for help and completion. */
  readonly choices?: readonly string[];
  /** What a shell completes. */
  readonly completes?: 'files' | 'directories';
  /** In a file a relative path starts at the file's directory, and `~/` is the home: which values are paths. */
  readonly isPath?: (text: string) => boolean;
  /** The option is repeatable, and the value a list of what `parse` reads. */
  readonly isList?: boolean;
  /** Of a list: the environment variable holds one item, whatever characters are in it. */
  readonly isOneInEnvironment?: boolean;
  /** The option takes no argument. */
  readonly isSwitch?: boolean;
  /** The option takes no argument and counts, up to this number. */
  readonly countsTo?: number;
  /** The text that `parse` would read as this value, where `String` does not make it. */
  readonly format?: (value: unknown) => string;
}

/** What a row of the table says. */
export interface SettingRow {
  /** As commander takes them: `-i, --identity <file>`. The long one gives the setting its other names. */
  readonly flags: string;
  readonly type: ValueType;
  readonly scope: Scope;
  /** The verbs that have the option; `every` for all of them. */
  readonly verbs: 'every' | readonly string[];
  /** One line for `--help`. */
  readonly help: string;
  /** More of it, for the manual page and `docs/CLI.md`; full sentences. */
  readonly details?: string;
  /** What holds when nobody says otherwise. */
  readonly default?: unknown;
  /** The default in words, where it depends on other things. */
  readonly defaultText?: string;
  /** Where it may stand in a client's file besides `[defaults]`: also, or only, in a `[peers.NAME]`. */
  readonly peers?: 'also' | 'only';
  /** Never in a file. */
  readonly notInFiles?: boolean;
  /** The environment variable, where the key stands for something else in the other file. @default from the key */
  readonly environment?: string;
  /** The help of the `--no-…` twin of a switch; without it the twin is there and not listed. */
  readonly negation?: string;
}

/** A row with the names that follow from its option. */
export interface Setting extends SettingRow {
  /** Key in a file, and the long option without its dashes: `server-key`. */
  readonly key: string;
  /** `E2EEFTP_SERVER_KEY`. */
  readonly environment: string;
  /** Under which commander keeps it: `serverKey`; `color` for `--no-color`. */
  readonly name: string;
  /** The option says no: its value is the opposite of what the environment and the file say. */
  readonly isNegative: boolean;
}

/** Derives the names of a setting from its long option. */
export function defineSetting(row: SettingRow): Setting {
  const key = /--([a-z][a-z-]*)/.exec(row.flags)?.[1] ?? '';
  const isNegative = key.startsWith('no-');
  const name = key.replace(/^no-/, '').replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const environment = row.environment ?? `E2EEFTP_${key.toUpperCase().replaceAll('-', '_')}`;
  return { ...row, key, name, isNegative, environment };
}

/** Whether a setting may stand in the file of `kind`. */
export function belongsInto(setting: Setting, kind: 'client' | 'server'): boolean {
  return setting.notInFiles !== true && (setting.scope === 'every' || setting.scope === kind);
}

/** The value as its option would be given, for people. */
export function formatValue(setting: Setting, value: unknown): string {
  const format = setting.type.format ?? String;
  return Array.isArray(value) ? value.map((item) => format(item)).join(' ') : format(value);
}
