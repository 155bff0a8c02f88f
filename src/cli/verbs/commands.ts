/** `e2eeftp commands`: lists what a server lets you do. */
import type { Command } from 'commander';
import { displayName } from '../../index.js';
import { parsePeer } from '../address.js';
import { isClassic } from '../classic/classic-option.js';
import { classicCommandsOf } from '../classic/classic-verbs.js';
import type { CliContext, Verb } from '../context.js';
import { withClient } from '../open-client.js';
import { addSettings } from '../settings/options.js';
import { settingsOfVerb } from '../settings/table.js';

async function run(context: CliContext, operands: string[]): Promise<void> {
  const { output, signal } = context;
  const peer = parsePeer(operands[0] ?? '');
  if (isClassic(context, [peer])) return classicCommandsOf(context, peer);
  await withClient(context, peer, async (client) => {
    const commands = await client.commands({ signal });
    if (output.json) {
      output.event({ type: 'result', verb: 'commands', result: { commands } });
      return;
    }
    const width = Math.max(0, ...commands.map((command) => displayName(command.verb).length));
    for (const { verb: name, summary } of commands) {
      output.data(`${displayName(name).padEnd(width)}  ${displayName(summary)}`.trimEnd());
    }
  });
}

export const verb: Verb = {
  examples: ['e2eeftp commands files.example.org', 'e2eeftp commands --json [2001:db8::7]'],
  configure(command: Command): void {
    addSettings(command, settingsOfVerb('commands')).argument('<peer>', 'a server');
  },
  run,
};
