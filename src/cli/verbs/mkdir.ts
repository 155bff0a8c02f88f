/** `e2eeftp mkdir`: makes directories on a server. */
import type { Command, OptionValues } from 'commander';
import { type Client, displayName, E2eeftpError } from '../../index.js';
import type { CliContext, Verb } from '../context.js';
import { ClientPool } from '../open-client.js';
import { runEach } from '../run-each.js';
import { parseRemote } from './ls.js';

/**
 * Makes a directory and what is missing above it.
 * @returns whether it was not there already. The server does not tell, so it is first asked for this one directory only.
 */
async function makeWithParents(client: Client, path: string, signal: AbortSignal): Promise<boolean> {
  try {
    await client.mkdir(path, { signal });
    return true;
  } catch (error) {
    const isThere = E2eeftpError.is(error, 'E2EEFTP_EXISTS');
    if (!isThere && !E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) throw error;
    await client.mkdir(path, { parents: true, signal });
    return !isThere;
  }
}

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
      const { path } = address;
      let made = true;
      if (parents) made = await makeWithParents(client, path, signal);
      else await client.mkdir(path, { signal });
      if (output.json) output.event({ type: 'result', verb: 'mkdir', result: { path, made } });
      else output.note(made ? `made ${displayName(operand)}` : `${displayName(operand)} is there already`);
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
