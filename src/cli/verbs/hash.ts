/** `e2eeftp hash`: prints what `b3sum` prints, for files on a server or on this machine. */
import type { Command } from 'commander';
import { displayName, hashFile, type HashResult } from '../../index.js';
import { type Address, parseAddress } from '../address.js';
import type { CliContext, Verb } from '../context.js';
import { ClientPool } from '../open-client.js';
import { createProgressDisplay } from '../progress-display.js';
import { runEach } from '../run-each.js';
import { showWork } from '../show-work.js';

/** `HEX  NAME`. As with `b3sum`, a line whose name holds a backslash or a line break begins with a backslash. */
export function hashLine(root: string, name: string): string {
  const needsEscape = /[\\\n]/.test(name);
  const escaped = needsEscape ? name.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`) : name;
  return `${needsEscape ? '\\' : ''}${root}  ${displayName(escaped)}`;
}

async function hashOne(context: CliContext, clients: ClientPool, address: Address, text: string): Promise<HashResult> {
  const { output, signal } = context;
  if (address.kind === 'local') {
    // Nobody is on the other side who could be too slow.
    context.pauseTimeout();
    return hashFile(address.path, { signal });
  }
  const client = await clients.open(address);
  const display = createProgressDisplay(output.json ? 'none' : 'auto', output, context.env['TERM']);
  display.start(text, null);
  return client.hash(address.path, showWork(context, display)).finally(() => display.stop());
}

async function run(context: CliContext, operands: string[]): Promise<number> {
  const { output } = context;
  const addresses = operands.map((operand) => parseAddress(operand));
  const clients = new ClientPool(context);
  try {
    return await runEach(context, operands, async (operand, index) => {
      const address = addresses[index];
      if (address === undefined) return;
      const { bytes, root } = await hashOne(context, clients, address, operand);
      if (output.json) output.event({ type: 'result', verb: 'hash', result: { path: address.path, bytes, root } });
      else output.data(hashLine(root, address.path));
    });
  } finally {
    await clients.close();
  }
}

export const verb: Verb = {
  examples: ['e2eeftp hash files.example.org:/iso/big.iso', 'e2eeftp hash ./big.iso files.example.org:/iso/big.iso'],
  configure(command: Command): void {
    command.argument('<[peer:]path...>', 'files on a server, or on this machine');
  },
  run,
};
