/** `e2eeftp config`: checks configuration files, and shows which settings hold and who gave them. */
import { Argument, type Command, Option, type OptionValues } from 'commander';
import { displayName, E2eeftpError } from '../../index.js';
import type { CliContext, Verb } from '../context.js';
import { EXIT } from '../exit-code.js';
import { reportError } from '../report-error.js';
import type { ConfigFile, ConfigKind } from '../settings/config-file.js';
import { derivedDefaults } from '../settings/derived-defaults.js';
import { configPath } from '../settings/load-settings.js';
import { addSettings } from '../settings/options.js';
import { readConfig } from '../settings/read-config.js';
import type { Effective, Origin } from '../settings/resolve.js';
import { formatValue, type Setting } from '../settings/setting.js';
import { Settings } from '../settings/settings.js';
import { SETTINGS } from '../settings/table.js';

/** Whose settings are asked for; undefined when that is not said. */
function askedKind(options: OptionValues): ConfigKind | undefined {
  if (options['server'] === true) return 'server';
  return options['client'] === true ? 'client' : undefined;
}

/** Reads files one after the other and reports whatever is wrong. */
async function check(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { output, settings, env } = context;
  const asked = askedKind(options);
  const [named = settings.get('config').value as string | undefined] = operands;
  const usual = (kind: ConfigKind): string => configPath(settings.command, env, kind).path;
  const wanted: { path: string; kind: ConfigKind | undefined }[] =
    named !== undefined
      ? [{ path: named, kind: asked }]
      : (asked === undefined ? (['client', 'server'] as const) : [asked]).map((kind) => ({ path: usual(kind), kind }));
  let exitCode: number = EXIT.ok;
  const good: ConfigFile[] = [];
  for (const { path, kind } of wanted) {
    const warn = (line: string): void => output.warn(displayName(line));
    try {
      const file = await readConfig(path, {
        ...(kind === undefined ? {} : { kind }),
        optional: named === undefined,
        warn,
      });
      if (file === undefined) output.note(`${displayName(path)}: not there, which is fine`);
      else good.push(file);
    } catch (error) {
      const failures: unknown[] = error instanceof AggregateError ? error.errors : [error];
      for (const failure of failures) exitCode = reportError(output, failure);
    }
  }
  for (const { path, kind, values, peers } of good) {
    const counts = { settings: values.size, peers: [...peers.keys()] };
    if (output.json) {
      output.event({ type: 'result', verb: 'config', result: { action: 'check', file: path, kind, ...counts } });
    } else {
      const size = `${values.size} ${values.size === 1 ? 'setting' : 'settings'}`;
      const peerCount = kind === 'server' ? '' : `, ${peers.size} ${peers.size === 1 ? 'peer' : 'peers'}`;
      output.note(`${displayName(path)}: right; file of a ${kind}, ${size}${peerCount}`);
    }
  }
  return exitCode;
}

/** `--port`, `E2EEFTP_PORT`, `/etc/e2eeftp/server.toml:3`, `default`. */
function originText(origin: Origin): string {
  if (origin.from === 'flag') return origin.flag;
  if (origin.from === 'environment') return origin.variable;
  return origin.from === 'file' ? `${origin.file}:${origin.line}` : 'default';
}

function tell(context: CliContext, effective: readonly Effective[], withOrigin: boolean): void {
  const { output } = context;
  const rows = effective.map(({ setting, value, origin }) => ({
    key: setting.key,
    shown: value === undefined ? '(none)' : displayName(formatValue(setting, value)),
    origin: displayName(originText(origin)),
  }));
  const width = (texts: string[]): number => Math.max(...texts.map((text) => text.length));
  const keys = width(rows.map(({ key }) => key));
  const values = Math.min(48, width(rows.map(({ shown }) => shown)));
  for (const { key, shown, origin } of rows) {
    const line = `${key.padEnd(keys)}  ${shown}`;
    output.data(withOrigin ? `${line.padEnd(keys + 2 + values)}  ${origin}` : line);
  }
}

/** Where nobody gave a value, the one that a verb would take. */
function withDefault(effective: Effective, defaults: ReadonlyMap<string, unknown>, file?: ConfigFile): Effective {
  const { setting, value } = effective;
  if (value !== undefined) return effective;
  if (setting.key === 'config') return { ...effective, value: file?.path };
  const { defaultText = '' } = setting;
  return { ...effective, value: /^\d+$/.test(defaultText) ? Number(defaultText) : defaults.get(setting.key) };
}

async function show(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output, settings: given, env } = context;
  const peer = options['peer'] as string | undefined;
  const [operand] = operands;
  const asked = askedKind(options);
  const source = configPath(given.command, env, asked ?? 'client');
  const { path, named } = operand === undefined ? source : { path: operand, named: true };
  const file = await readConfig(path, {
    // A file that somebody names tells by itself whose it is.
    ...(asked === undefined && named ? {} : { kind: asked ?? 'client' }),
    optional: !named,
    warn: (line) => output.warn(displayName(line)),
  });
  const kind = asked ?? file?.kind ?? 'client';
  checkBoth(kind, options);
  if (peer !== undefined && file?.peers.has(peer) !== true) {
    const what = file === undefined ? `there is no file ${path}, and so` : `${path} has`;
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `${what} no peer '${peer}'`);
  }
  const settings = new Settings({ command: given.command, env, kind, file });
  const defaults = derivedDefaults(settings, env);
  const effective = settings
    .all(peer)
    .filter(({ setting }) => setting.peers !== 'only' || peer !== undefined)
    .map((each) => withDefault(each, defaults, file));
  if (output.json) {
    const list = effective.map(({ setting, value, origin }) => ({
      key: setting.key,
      value:
        setting.type.isList === true && value !== undefined ? formatValue(setting, value).split(' ') : (value ?? null),
      origin: { ...origin },
    }));
    const result = {
      action: 'show',
      kind,
      file: file?.path ?? null,
      peer: peer ?? null,
      peers: [...settings.peerNames],
      settings: list,
    };
    output.event({ type: 'result', verb: 'config', result });
    return;
  }
  if (peer === undefined && settings.peerNames.length > 0) output.note(`peers: ${settings.peerNames.join(', ')}`);
  tell(context, effective, options['origin'] === true);
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number | void> {
  const [action, ...rest] = operands;
  if (action === 'check' && (options['peer'] !== undefined || options['origin'] === true)) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', '--peer and --origin are for show');
  }
  return action === 'check' ? check(context, rest, options) : show(context, rest, options);
}

/** Whether a setting's option takes a value for a server and none for a client, or the other way round. */
function isBoth({ name, type }: Setting): boolean {
  return SETTINGS.some((other) => other.name === name && other.type.isSwitch !== type.isSwitch);
}

/** The value that was given to the option that takes one; without a value it is the switch. */
function readBoth({ name }: Setting, text: string, before: unknown): unknown {
  const row = SETTINGS.find((other) => other.name === name && other.type.isSwitch !== true);
  const value = row?.type.parse(text);
  return row?.type.isList === true ? [...(Array.isArray(before) ? (before as unknown[]) : []), value] : value;
}

/** Refuses a value for the switch of a client, and a server's option without one. */
function checkBoth(kind: ConfigKind, options: OptionValues): void {
  for (const { name, key, scope, type } of SETTINGS.filter(isBoth)) {
    const value: unknown = options[name];
    if (scope !== kind || value === undefined || (typeof value === 'boolean') === (type.isSwitch === true)) continue;
    const needs = type.isSwitch === true ? 'takes no value for a client' : `of a server needs ${type.expects}`;
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `--${key} ${needs}`);
  }
}

export const verb: Verb = {
  examples: ['e2eeftp config check ./server.toml', 'e2eeftp config show --origin'],
  configure(command: Command): void {
    command
      .addArgument(
        new Argument('<action>', 'check files for mistakes, or show the settings').choices(['check', 'show']),
      )
      .argument('[file]', 'a configuration file (default: those that e2eeftp would use)')
      .option('--client', "the client's file and settings")
      .option('--server', "the server's file and settings; other files tell by themselves whose they are")
      .option('--peer <name>', 'show what holds for one peer of the file')
      .option('--origin', 'show who gave each value: an option, a variable, a line of a file, or nobody');
    // So that `config show` tells what a command line with these options would do.
    const own = new Set(command.options.map((option) => option.attributeName()));
    // An option with a value for a server and without one for a client is both here.
    for (const setting of SETTINGS.filter(isBoth)) {
      if (own.has(setting.name)) continue;
      own.add(setting.name);
      const flags = `--${setting.key} [value]`;
      command.addOption(
        new Option(flags).argParser((text: string, before: unknown) => readBoth(setting, text, before)).hideHelp(),
      );
      command.addOption(new Option(`--no-${setting.key}`).hideHelp());
    }
    for (const setting of SETTINGS) {
      if (setting.verbs === 'every' || own.has(setting.name)) continue;
      own.add(setting.name);
      addSettings(command, [setting], { hidden: true });
    }
  },
  run,
};
