/** `e2eeftp rm`: removes files or directories on a server. */
import type { Command, OptionValues } from 'commander';
import { displayName, E2eeftpError } from '../../index.js';
import { isClassic } from '../classic/classic-option.js';
import { removeFromClassic } from '../classic/classic-verbs.js';
import type { CliContext, Verb } from '../context.js';
import { ClientPool } from '../open-client.js';
import { runEach } from '../run-each.js';
import { addSettings } from '../settings/options.js';
import { settingsOfVerb } from '../settings/table.js';
import { parseRemote } from './ls.js';

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { output, signal } = context;
  const recursive = options['recursive'] === true;
  const addresses = operands.map((operand) => {
    const address = parseRemote(operand);
    if (address.path.split('/').some((component) => component !== '' && component !== '.')) return address;
    // Nobody means to remove a whole store by a forgotten name.
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `'${operand}' names the top directory, which is never removed`);
  });
  if (isClassic(context, addresses)) return removeFromClassic(context, operands, addresses, options);
  const clients = new ClientPool(context);
  try {
    return await runEach(context, operands, async (operand, index) => {
      const address = addresses[index];
      if (address === undefined) return;
      const client = await clients.open(address);
      await client.delete(address.path, { recursive, signal });
      if (output.json) output.event({ type: 'result', verb: 'rm', result: { path: address.path, removed: true } });
      else output.note(`removed ${displayName(operand)}`);
    });
  } finally {
    await clients.close();
  }
}

export const verb: Verb = {
  examples: ['e2eeftp rm files.example.org:/inbox/old.iso', 'e2eeftp rm -r files.example.org:/inbox/2019'],
  configure(command: Command): void {
    addSettings(command, settingsOfVerb('rm'))
      .argument('<peer:path...>', 'names on a server')
      .option('-r, --recursive', 'directories with all they hold');
  },
  run,
};
