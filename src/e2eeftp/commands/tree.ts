/**
 * PUSH and PULL: a whole tree in one request, as a dialog in both directions (`docs/PROTOCOL.md` §7.6).
 *
 * PUSH `{path, delete?, dryRun?, checksum?, preserve?, overwrite: 'replace' | 'refuse'?}` and
 * PULL `{path, dryRun?, checksum?, links: 'keep' | 'follow' | 'skip'?}` → 100 → dialog → 226 with the counts.
 */
import { E2eeftpError } from '../../errors.js';
import { native } from '../../native.js';
import type { NativeTreeCounts } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import type { RequestContext } from '../request-context.js';
import { STATUS_TRANSFER_COMPLETE } from '../status.js';
import type { Durability } from './send.js';

/** What the server says about trees. */
export interface TreePolicy {
  readonly durability: Durability;
  /** False when somebody has to hear of each file: hooks, listeners, or a command of the application's own. */
  readonly takesTrees: boolean;
}

/** Answers a PUSH. */
export async function pushCommand(context: RequestContext, policy: TreePolicy): Promise<CommandReply> {
  context.require('write');
  const { input, exchange } = context;
  const path = input.bytes('path');
  const isDeleting = input.boolean('delete', false);
  const dryRun = input.boolean('dryRun', false);
  const checksum = input.boolean('checksum', false);
  const preserve = input.boolean('preserve', true);
  const overwrite = input.choice('overwrite', ['replace', 'refuse']) === 'replace';
  if (isDeleting) context.require(['delete', 'list']);
  requireTrees(policy);
  const { view } = exchange.session;
  const writer = await native(() => view.writeTree(path, { overwrite, delete: isDeleting, anyLinks: false, dryRun }));
  try {
    const how = { checksum, dryRun, skipLinks: false, preserve, durability: policy.durability };
    return done(await exchange.dialog((channel, transfer) => channel.receiveTree(transfer, writer, exchange.id, how)));
  } finally {
    writer.close();
  }
}

/** Answers a PULL. */
export async function pullCommand(context: RequestContext, policy: TreePolicy): Promise<CommandReply> {
  context.require(['read', 'list']);
  const { input, exchange } = context;
  const path = input.bytes('path');
  const dryRun = input.boolean('dryRun', false);
  const checksum = input.boolean('checksum', false);
  const links = input.choice('links', ['keep', 'follow', 'skip']);
  requireTrees(policy);
  const { view } = exchange.session;
  const reader = await native(() => view.readTree(path, links === 'follow'));
  try {
    const { durability } = policy;
    const how = { checksum, dryRun, skipLinks: links === 'skip', preserve: true, durability };
    return done(await exchange.dialog((channel, transfer) => channel.sendTree(transfer, reader, exchange.id, how)));
  } finally {
    reader.close();
  }
}

function requireTrees({ takesTrees }: TreePolicy): void {
  if (takesTrees) return;
  throw new E2eeftpError('E2EEFTP_FILE_BY_FILE', 'This server wants a request for each file');
}

function done(counts: NativeTreeCounts): CommandReply {
  return { status: STATUS_TRANSFER_COMPLETE, text: 'Transfer Complete', ...counts };
}
