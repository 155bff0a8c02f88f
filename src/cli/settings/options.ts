/** Settings as options of commander. */
import { type Command, Option } from 'commander';
import type { Setting } from './setting.js';

/** `what it does [E2EEFTP_NAME]`, with the default where it is a short one that nobody else shows. */
function description({ help, default: value, defaultText, environment, type }: Setting): string {
  const words = defaultText ?? (typeof value === 'number' && value !== 0 ? String(value) : '');
  const isShown = help.includes('(default') || words === '' || words.includes('`') || type.choices !== undefined;
  return `${help}${isShown ? '' : ` (default: ${words})`} [${environment}]`;
}

function mainOption(setting: Setting): Option {
  const { type, flags } = setting;
  const option = new Option(flags, description(setting));
  if (type.choices !== undefined) return option.choices([...type.choices]).default(setting.default);
  if (type.countsTo !== undefined) {
    const most = type.countsTo;
    return option.argParser((_: string, previous: number | undefined) => Math.min((previous ?? 0) + 1, most));
  }
  if (type.isSwitch === true) return option;
  return option.argParser((value: string, previous: unknown) => {
    const read = type.parse(value);
    return type.isList === true ? [...((previous as unknown[] | undefined) ?? []), read] : read;
  });
}

/** The option that says the opposite of a switch, so that a command line can undo what a file says. */
function twinOption({ key, isNegative, negation }: Setting): Option {
  const flags = isNegative ? `--${key.replace(/^no-/, '')}` : `--no-${key}`;
  return negation === undefined ? new Option(flags).hideHelp() : new Option(flags, negation);
}

/**
 * Adds the options of some settings to a command.
 * @param how.hidden leave them out of the command's help.
 */
export function addSettings(command: Command, settings: readonly Setting[], how: { hidden?: boolean } = {}): Command {
  for (const setting of settings) {
    const options = setting.type.isSwitch === true ? [mainOption(setting), twinOption(setting)] : [mainOption(setting)];
    for (const option of options) command.addOption(how.hidden === true ? option.hideHelp() : option);
  }
  return command;
}
