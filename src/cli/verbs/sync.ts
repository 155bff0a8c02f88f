/** `e2eeftp sync`: makes a directory on the other side equal to one on this side, or the other way round. */
import type { Command, OptionValues } from 'commander';
import { E2eeftpError, type OnProgress, type Retry } from '../../index.js';
import { parseAddress, type RemoteAddress } from '../address.js';
import { isClassic } from '../classic/classic-option.js';
import type { CliContext, Verb } from '../context.js';
import { withClient } from '../open-client.js';
import { shownRemote } from '../remote-target.js';
import { runTransfers } from '../transfer-batch.js';
import { addTransferOptions, forPeer, readTransferOptions } from '../transfer-options.js';
import { addTreeOptions, readTreeOptions } from '../tree-options.js';
import { moveTree, type TreeRoute } from '../tree-transfer.js';

function usage(message: string, hint: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', message, { hint });
}

function readRoute(source: string, target: string): { peer: RemoteAddress; route: TreeRoute } {
  const from = parseAddress(source);
  const to = parseAddress(target);
  if (from.kind === 'local' && to.kind === 'remote') {
    const route = {
      direction: 'send',
      source: from.path,
      target: to.path,
      shownTarget: shownRemote(to, to.path),
    } as const;
    return { peer: to, route };
  }
  if (from.kind === 'remote' && to.kind === 'local') {
    const route = { direction: 'get', source: from.path, target: to.path, shownTarget: to.path } as const;
    return { peer: from, route };
  }
  throw usage(
    'one of source and target must be on a server, and the other on this machine',
    'write: e2eeftp sync DIR PEER:DIR',
  );
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const [source, target, ...others] = operands;
  if (source === undefined || target === undefined || others.length > 0) {
    throw usage('one source and one target are needed', 'write: e2eeftp sync DIR PEER:DIR');
  }
  const { peer, route } = readRoute(source, target);
  const transfer = forPeer(readTransferOptions(options), context, peer.host);
  const choices = await readTreeOptions(options);
  if (isClassic(context, [peer]))
    throw usage('an old server has no directories', 'use: e2eeftp send --classic FILE… PEER:');
  return withClient(context, peer, async (client) => {
    const job = {
      source,
      total: null,
      plan: () => moveTree(context, client, route, transfer, choices),
      move: (onProgress: OnProgress, onRetry: (retry: Retry) => void) =>
        moveTree(context, client, route, transfer, choices, { onProgress, onRetry }),
    };
    return runTransfers(context, 'sync', [job], transfer);
  });
}

export const verb: Verb = {
  examples: [
    'e2eeftp sync ./site files.example.org:/www --delete --dry-run',
    "e2eeftp sync files.example.org:/photos ./photos --exclude '*.tmp'",
  ],
  configure(command: Command): void {
    command
      .usage('[options] <source> <target>')
      .argument('<source>', 'a directory, here or on a server')
      .argument('<target>', 'the directory that becomes equal to it')
      .option('--delete', 'remove from the target what the source does not have');
    addTreeOptions(command);
    addTransferOptions(command);
  },
  run: (context, operands, options) => run(context, operands, options),
};
