/**
 * The options that every verb understands. Each is accepted before and after the verb, and has an environment variable:
 * the option after the verb wins over the one before it, both over the environment, that over the configuration file,
 * and that over the default.
 */
import type { Command } from 'commander';
import { addSettings } from './settings/options.js';
import { type FileValues, resolveSetting } from './settings/resolve.js';
import { GLOBAL_SETTINGS } from './settings/table.js';

/** The global options of one run, resolved. */
export interface GlobalOptions {
  /** Who to log in as, in this order: key files, or keys of the ssh-agent. */
  identity?: readonly string[];
  /** File whose first line is the passphrase of the private key. */
  passphraseFile?: string;
  /** Fingerprint, key text, or file that the server's key must match. */
  serverKey?: string;
  /** Port for addresses that name none. */
  port: number;
  /** Host to connect to instead of the one that an address names. */
  host?: string;
  /** Account for addresses that name none. */
  user?: string;
  /** Names of new servers are written as hashes. */
  hashKnownServers: boolean;
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

/** The global options as a part of the program's help, to be shown after the verbs. */
export function globalOptionsHelp(): string {
  const rows = GLOBAL_SETTINGS.map(({ flags, help }) => `  ${flags.padEnd(32)} ${help}`);
  return `Global options:\n${rows.join('\n')}`;
}

/**
 * Adds the global options to the program or to a verb.
 * @param how.hidden leave them out of the command's own help.
 */
export function addGlobalOptions(command: Command, how: { hidden?: boolean } = {}): Command {
  return addSettings(command.optionsGroup('Global options:'), GLOBAL_SETTINGS, how);
}

/**
 * The global options as the verb, the program, the environment, the file and the defaults give them, in this order.
 * @throws InvalidArgumentError when an environment variable holds something that its option would not accept.
 */
export function resolveGlobalOptions(verb: Command, env: NodeJS.ProcessEnv, file?: FileValues): GlobalOptions {
  const resolved: Record<string, unknown> = {};
  for (const setting of GLOBAL_SETTINGS) {
    const { value } = resolveSetting(setting, verb, env, file);
    if (value !== undefined) resolved[setting.name] = setting.isNegative ? value !== true : value;
  }
  return resolved as unknown as GlobalOptions;
}
