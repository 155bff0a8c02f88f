/**
 * The options that every verb understands. Each is accepted before and after the verb, and has an environment variable:
 * the option after the verb wins over the one before it, and both over the environment, and that over the default.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
// Not from '../index.js': that would load the native addon for a mere --help.
import { DEFAULT_PORT } from '../identity/server-address.js';

/** The global options of one run, resolved. */
export interface GlobalOptions {
  /** Path of the private key file. */
  identity?: string;
  /** Fingerprint, key text, or file that the server's key must match. */
  serverKey?: string;
  /** Port for addresses that name none. */
  port: number;
  /** Set when an option or the environment says so, not the default. */
  isPortGiven?: true;
  /** Path of a configuration file. */
  config?: string;
  json: boolean;
  quiet: boolean;
  /** 0, 1 or 2. */
  verbose: number;
  /** Longest silence of the peer, in seconds. */
  timeout?: number;
  color: boolean;
}

/** @throws InvalidArgumentError unless `text` is a decimal port number 1-65535. */
function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('A port is a number from 1 to 65535.');
  return port;
}

/** @throws InvalidArgumentError unless `text` is a number of seconds above 0 and at most 30 days. */
function parseSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (seconds <= 0 || seconds > 2_592_000) {
    throw new InvalidArgumentError('Give a number of seconds above 0, for example 30 or 0.5.');
  }
  return seconds;
}

function parseSwitch(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off|)$/i.test(text)) return false;
  throw new InvalidArgumentError('Give 1 or 0.');
}

function parseVerbosity(text: string): number {
  if (/^[0-2]$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Give 0, 1 or 2.');
}

interface GlobalOption {
  key: keyof GlobalOptions;
  flags: string;
  description: string;
  environment: string;
  /** Reads the option's argument (or the environment variable of a switch). */
  parse: (text: string) => unknown;
  /** Turns the environment variable's value into the option's, where the two differ. */
  invert?: boolean;
  /** Reads repeated switches. */
  count?: boolean;
}

const text = (value: string): string => value;

const OPTIONS: readonly GlobalOption[] = [
  {
    key: 'identity',
    flags: '-i, --identity <file>',
    description: 'private key to log in with',
    environment: 'E2EEFTP_IDENTITY',
    parse: text,
  },
  {
    key: 'serverKey',
    flags: '--server-key <fingerprint|file>',
    description: "pin the server's key; no prompt",
    environment: 'E2EEFTP_SERVER_KEY',
    parse: text,
  },
  {
    key: 'port',
    flags: '-P, --port <port>',
    description: `port, unless the address names one (default: ${DEFAULT_PORT})`,
    environment: 'E2EEFTP_PORT',
    parse: parsePort,
  },
  {
    key: 'config',
    flags: '--config <file>',
    description: 'configuration file (not supported yet)',
    environment: 'E2EEFTP_CONFIG',
    parse: text,
  },
  {
    key: 'json',
    flags: '--json',
    description: 'write JSON objects, one a line, to standard output',
    environment: 'E2EEFTP_JSON',
    parse: parseSwitch,
  },
  {
    key: 'quiet',
    flags: '-q, --quiet',
    description: 'only warnings and errors',
    environment: 'E2EEFTP_QUIET',
    parse: parseSwitch,
  },
  {
    key: 'verbose',
    flags: '-v, --verbose',
    description: 'say more; twice for traces',
    environment: 'E2EEFTP_VERBOSE',
    parse: parseVerbosity,
    count: true,
  },
  {
    key: 'timeout',
    flags: '--timeout <seconds>',
    description: 'give up after this long without a sign of the peer',
    environment: 'E2EEFTP_TIMEOUT',
    parse: parseSeconds,
  },
  {
    key: 'color',
    flags: '--no-color',
    description: 'plain text, also on a terminal',
    environment: 'E2EEFTP_NO_COLOR',
    parse: parseSwitch,
    invert: true,
  },
];

/** The global options as a part of the program's help, to be shown after the verbs. */
export function globalOptionsHelp(): string {
  const rows = OPTIONS.map(({ flags, description }) => `  ${flags.padEnd(32)} ${description}`);
  return `Global options:\n${rows.join('\n')}`;
}

/**
 * Adds the global options to the program or to a verb.
 * @param how.hidden leave them out of the command's own help.
 */
export function addGlobalOptions(command: Command, how: { hidden?: boolean } = {}): Command {
  command.optionsGroup('Global options:');
  for (const entry of OPTIONS) {
    const option = new Option(entry.flags, `${entry.description} [${entry.environment}]`);
    if (entry.count === true) {
      option.argParser((_: string, previous: number | undefined) => Math.min((previous ?? 0) + 1, 2));
    } else if (option.required) {
      option.argParser(entry.parse);
    }
    command.addOption(option.hideHelp(how.hidden ?? false));
  }
  return command;
}

/**
 * The global options as the verb, the program, the environment and the defaults give them, in this order.
 * @throws InvalidArgumentError when an environment variable holds something that its option would not accept.
 */
export function resolveGlobalOptions(verb: Command, env: NodeJS.ProcessEnv): GlobalOptions {
  const resolved: Record<string, unknown> = { port: DEFAULT_PORT, json: false, quiet: false, verbose: 0, color: true };
  const given = new Set<keyof GlobalOptions>();
  for (const entry of OPTIONS) {
    const fromEnvironment = env[entry.environment];
    if (fromEnvironment !== undefined && (fromEnvironment !== '' || entry.parse === parseSwitch)) {
      try {
        const value = entry.parse(fromEnvironment);
        resolved[entry.key] = entry.invert === true ? value !== true : value;
        given.add(entry.key);
      } catch (error) {
        if (!(error instanceof InvalidArgumentError)) throw error;
        throw new InvalidArgumentError(`${entry.environment} is not valid. ${error.message}`);
      }
    }
    for (const command of [verb.parent, verb]) {
      if (command?.getOptionValueSource(entry.key) === 'cli') {
        resolved[entry.key] = command.getOptionValue(entry.key);
        given.add(entry.key);
      }
    }
  }
  if (given.has('port')) resolved['isPortGiven'] = true;
  return resolved as unknown as GlobalOptions;
}
