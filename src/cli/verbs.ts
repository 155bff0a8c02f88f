/** The table of verbs: what `e2eeftp --help` lists, and where each is. A verb's module is loaded only when it is used. */
import type { Command } from 'commander';
import type { Verb } from './context.js';
import { addGlobalOptions } from './global-options.js';
import type { VerbConfig } from './settings/load-settings.js';

/** A line of `e2eeftp --help`. */
export interface VerbEntry {
  name: string;
  alias?: string;
  group: string;
  summary: string;
  /** Whose configuration file it goes by. @default 'client' */
  config?: VerbConfig;
  load(): Promise<{ verb: Verb }>;
}

export const VERBS: readonly VerbEntry[] = [
  {
    name: 'send',
    alias: 'put',
    group: 'Move files:',
    summary: 'copy local files and directories, or standard input, to a server',
    load: () => import('./verbs/send.js'),
  },
  {
    name: 'get',
    group: 'Move files:',
    summary: 'copy files and directories from a server, or write a file to standard output',
    load: () => import('./verbs/get.js'),
  },
  {
    name: 'sync',
    group: 'Move files:',
    summary: 'make a directory equal to another, one of them on a server',
    load: () => import('./verbs/sync.js'),
  },
  {
    name: 'ls',
    alias: 'list',
    group: 'Look:',
    summary: 'list a directory on a server',
    load: () => import('./verbs/ls.js'),
  },
  {
    name: 'stat',
    group: 'Look:',
    summary: 'show size, time and mode of names on a server',
    load: () => import('./verbs/stat.js'),
  },
  {
    name: 'hash',
    group: 'Look:',
    summary: 'print the BLAKE3 hash of files, as b3sum does',
    load: () => import('./verbs/hash.js'),
  },
  {
    name: 'df',
    group: 'Look:',
    summary: 'show how much room servers have',
    load: () => import('./verbs/df.js'),
  },
  {
    name: 'rm',
    alias: 'delete',
    group: 'Change:',
    summary: 'remove files or directories on a server',
    load: () => import('./verbs/rm.js'),
  },
  {
    name: 'mv',
    group: 'Change:',
    summary: 'move or rename on a server',
    load: () => import('./verbs/mv.js'),
  },
  {
    name: 'cp',
    group: 'Change:',
    summary: 'copy on a server',
    load: () => import('./verbs/cp.js'),
  },
  {
    name: 'mkdir',
    group: 'Change:',
    summary: 'make directories on a server',
    load: () => import('./verbs/mkdir.js'),
  },
  {
    name: 'commands',
    group: 'Any command:',
    summary: 'list what a server lets you do',
    load: () => import('./verbs/commands.js'),
  },
  {
    name: 'call',
    group: 'Any command:',
    summary: 'call a custom command of a server',
    load: () => import('./verbs/call.js'),
  },
  {
    name: 'keygen',
    group: 'Keys:',
    summary: 'make your key pair',
    load: () => import('./verbs/keygen.js'),
  },
  {
    name: 'fingerprint',
    group: 'Keys:',
    summary: 'show the fingerprint of a key',
    load: () => import('./verbs/fingerprint.js'),
  },
  {
    name: 'authorize',
    group: 'Keys:',
    summary: 'let a key log in to the server on this machine',
    config: 'server',
    load: () => import('./verbs/authorize.js'),
  },
  {
    name: 'revoke',
    group: 'Keys:',
    summary: 'no longer let a key log in',
    config: 'server',
    load: () => import('./verbs/revoke.js'),
  },
  {
    name: 'trust',
    group: 'Keys:',
    summary: "remember a server's key",
    load: () => import('./verbs/trust.js'),
  },
  {
    name: 'serve',
    group: 'Serve:',
    summary: 'run a server in the foreground',
    config: 'server',
    load: () => import('./verbs/serve.js'),
  },
  {
    name: 'bench',
    group: 'Understand:',
    summary: 'measure the way to a server and both ends, without touching a disk',
    load: () => import('./verbs/bench.js'),
  },
  {
    name: 'doctor',
    group: 'Understand:',
    summary: 'check this machine, and the way to a server',
    load: () => import('./verbs/doctor.js'),
  },
  {
    name: 'config',
    group: 'Configuration:',
    summary: 'check configuration files, and show which settings hold',
    config: 'none',
    load: () => import('./verbs/config.js'),
  },
  {
    name: 'receipt',
    group: 'Understand:',
    summary: 'check the receipt of a file that was moved',
    load: () => import('./verbs/receipt.js'),
  },
  {
    name: 'completion',
    group: 'Configuration:',
    summary: 'print the script that lets a shell complete e2eeftp',
    config: 'none',
    load: () => import('./verbs/completion.js'),
  },
];

/** Declares the arguments and options of a verb, its own first and then those of every verb. */
export function configureVerb(command: Command, verb: Verb): Command {
  verb.configure(command.helpOption('-h, --help', 'show this help'));
  return addGlobalOptions(command);
}

/** The verbs that a command line may mean: those whose name or alias is one of its words. */
export function verbsNamedIn(words: readonly string[]): VerbEntry[] {
  return VERBS.filter(
    (entry) => words.includes(entry.name) || (entry.alias !== undefined && words.includes(entry.alias)),
  );
}
