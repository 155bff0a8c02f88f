/**
 * Which value of a setting holds, and who said so: the option after the verb, the one before it, the environment, the
 * file, the default, in this order.
 */
import { type Command, InvalidArgumentError, type OptionValues } from 'commander';
import type { Setting } from './setting.js';

/** Who gave a value. */
export type Origin =
  | { readonly from: 'flag'; readonly flag: string }
  | { readonly from: 'environment'; readonly variable: string }
  | { readonly from: 'file'; readonly file: string; readonly line: number; readonly table: string }
  | { readonly from: 'default' };

/** A value and its origin. `undefined` means that nobody gave one and that the default depends on other things. */
export interface Effective {
  readonly setting: Setting;
  readonly value: unknown;
  readonly origin: Origin;
}

/** A value of a file. */
export interface FileValue {
  readonly value: unknown;
  readonly origin: Origin & { from: 'file' };
}

/** Values by the key of their setting. */
export type FileValues = ReadonlyMap<string, FileValue>;

const CONTROL = /\p{Cc}/u;

function readEnvironment({ environment, type }: Setting, text: string): unknown {
  try {
    if (CONTROL.test(text)) throw new InvalidArgumentError('It has a control character in it.');
    if (type.isList !== true) return type.parse(text);
    if (type.isOneInEnvironment === true) return [type.parse(text)];
    return text
      .split(/[\s,]+/)
      .filter((item) => item !== '')
      .map((item) => type.parse(item));
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    const shown = CONTROL.test(text) || text.length > 40 ? '' : ` '${text}'`;
    throw new InvalidArgumentError(`${environment}${shown} is not valid. ${error.message}`);
  }
}

/** The value that one command line gives; the verb's option wins over the program's. */
function readFlags(setting: Setting, command: Command): { value: unknown } | undefined {
  for (const each of [command, command.parent]) {
    if (each?.getOptionValueSource(setting.name) !== 'cli') continue;
    const value: unknown = each.getOptionValue(setting.name);
    return { value: setting.isNegative ? value !== true : value };
  }
  return undefined;
}

/**
 * The effective value of a setting.
 * @throws InvalidArgumentError when the environment holds something that the option would not accept.
 */
export function resolveSetting(
  setting: Setting,
  command: Command,
  env: NodeJS.ProcessEnv,
  file: FileValues | undefined,
): Effective {
  const flag = readFlags(setting, command);
  const text = env[setting.environment];
  // An empty variable is no value, except for a switch, where it is a no.
  const isSet = text !== undefined && (text !== '' || setting.type.isSwitch === true);
  const value = isSet ? readEnvironment(setting, text) : undefined;
  if (flag !== undefined) return { setting, value: flag.value, origin: { from: 'flag', flag: `--${setting.key}` } };
  if (isSet) return { setting, value, origin: { from: 'environment', variable: setting.environment } };
  const found = file?.get(setting.key);
  if (found !== undefined) return { setting, value: found.value, origin: found.origin };
  return { setting, value: setting.default, origin: { from: 'default' } };
}

/** The options of a verb, with the values of settings from wherever they were given. */
export function optionsWith(effective: readonly Effective[], command: Command): OptionValues {
  const options: OptionValues = { ...command.opts() };
  const names = new Set(command.options.map((option) => option.attributeName()));
  for (const { setting, value } of effective) {
    if (value !== undefined && names.has(setting.name)) {
      options[setting.name] = setting.isNegative ? value !== true : value;
    }
  }
  return options;
}
