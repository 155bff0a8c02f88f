/** `e2eeftp stat`: size, time and mode of names on a server. */
import type { Command } from 'commander';
import { displayName, type Entry } from '../../index.js';
import type { CliContext, Verb } from '../context.js';
import { entryEvent } from '../entry-event.js';
import { formatBytes, formatMode } from '../human-units.js';
import { ClientPool } from '../open-client.js';
import { runEach } from '../run-each.js';
import { parseRemote } from './ls.js';

function describe(entry: Entry): string[] {
  const mode = (entry.mode & 0o7777).toString(8).padStart(4, '0');
  return [
    `Path: ${displayName(entry.path)}`,
    `Type: ${entry.type}`,
    `Size: ${entry.size} (${formatBytes(entry.size)})`,
    `Modified: ${entry.modified.toISOString()}`,
    `Mode: ${mode} (${formatMode(entry.type, entry.mode)})`,
  ];
}

async function run(context: CliContext, operands: string[]): Promise<number> {
  const { output, signal } = context;
  const addresses = operands.map(parseRemote);
  const clients = new ClientPool(context);
  try {
    return await runEach(context, operands, async (_, index) => {
      const address = addresses[index];
      if (address === undefined) return;
      const client = await clients.open(address);
      const entry = await client.stat(address.path === '' ? '.' : address.path, { signal });
      if (output.json) output.event(entryEvent(entry));
      else for (const line of describe(entry)) output.data(line);
    });
  } finally {
    await clients.close();
  }
}

export const verb: Verb = {
  examples: ['e2eeftp stat files.example.org:/inbox/big.iso', 'e2eeftp stat --json files.example.org:/inbox'],
  configure(command: Command): void {
    command.argument('<peer:path...>', 'names on a server');
  },
  run,
};
