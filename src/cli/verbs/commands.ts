/** `e2eeftp commands`: lists what a server lets you do. */
import type { Command, OptionValues } from 'commander';
import { displayName } from '../../index.js';
import { parsePeer } from '../address.js';
import { addClassicOption, isClassic } from '../classic/classic-option.js';
import { classicCommandsOf } from '../classic/classic-verbs.js';
import type { CliContext, Verb } from '../context.js';
import { withClient } from '../open-client.js';

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output, signal } = context;
  if (isClassic(options)) return classicCommandsOf(context, parsePeer(operands[0] ?? ''));
  await withClient(context, parsePeer(operands[0] ?? ''), async (client) => {
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
    addClassicOption(command).argument('<peer>', 'a server');
  },
  run,
};
