/** `e2eeftp mkdir`: makes directories on a server. */
import type { Command, OptionValues } from 'commander';
import { displayName } from '../../index.js';
import type { CliContext, Verb } from '../context.js';
import { ClientPool } from '../open-client.js';
import { runEach } from '../run-each.js';
import { parseRemote } from './ls.js';

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { output, signal } = context;
  const parents = options['parents'] === true;
  const addresses = operands.map(parseRemote);
  const clients = new ClientPool(context);
  try {
    return await runEach(context, operands, async (operand, index) => {
      const address = addresses[index];
      if (address === undefined) return;
      const client = await clients.open(address);
      await client.mkdir(address.path, { parents, signal });
      if (output.json) output.event({ type: 'result', verb: 'mkdir', result: { path: address.path, made: true } });
      else output.note(`made ${displayName(operand)}`);
    });
  } finally {
    await clients.close();
  }
}

export const verb: Verb = {
  examples: ['e2eeftp mkdir files.example.org:/inbox/2027', 'e2eeftp mkdir -p files.example.org:/a/b/c'],
  configure(command: Command): void {
    command
      .argument('<peer:path...>', 'names on a server')
      .option('-p, --parents', 'missing directories above, too; no error when it is there already');
  },
  run,
};
