/**
 * RECEIPT: counter-signs a statement about a whole file that this session has moved. `{statement, salt, signature}` → 200
 * `{signature}`. Nothing is signed that differs in any point from what the server itself has recorded.
 */
import { E2eeftpError } from '../../errors.js';
import type { Identity } from '../../identity/identity.js';
import { checkReceiptClient, composeReceipt, nativeSync, readReceiptStatement, receiptNames } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { pathToBytes } from '../../storage/path-text.js';
import type { CommandReply } from '../command-registry.js';
import { readReceipt } from '../receipt.js';
import type { Receipt } from '../receipt.js';
import type { RequestContext } from '../request-context.js';

/** How far the clocks of the two sides may be apart, in seconds. */
export const RECEIPT_CLOCK_SECONDS = 300;

/** Answers a RECEIPT. `keep` is given the receipt before the client is. */
export async function receiptCommand(
  context: RequestContext,
  identity: Identity,
  keep: (receipt: Receipt) => void,
): Promise<CommandReply> {
  const { input, exchange, peer } = context;
  const statement = input.text('statement');
  const salt = input.bytes('salt');
  const signature = input.bytes('signature');
  const said = nativeSync(() => readReceiptStatement(statement));
  if (said.client.openssh !== peer.key) throw refused('the client in it has another key than you');
  if (said.server.openssh !== identity.publicKey.openssh) throw refused('the server in it has another key');
  const ahead = said.time - Date.now() / 1000;
  if (Math.abs(ahead) > RECEIPT_CLOCK_SECONDS) {
    const difference = `${Math.abs(Math.round(ahead))} seconds ${ahead > 0 ? 'ahead of' : 'behind'}`;
    throw refused(`its time is ${difference} this server’s clock`);
  }
  // Before anything is taken out: a forged statement must not use up the receipt.
  nativeSync(() => checkReceiptClient(statement, signature));
  const root = said.root.toString('hex');
  const entry = exchange.session.transfers.take(
    ({ direction, bytes, root: moved, path }) =>
      direction === said.direction &&
      bytes === said.size &&
      moved === root &&
      nativeSync(() => receiptNames(statement, pathToBytes(path), salt)),
  );
  if (entry === null) throw refused('this session has moved no such file, or has its receipt already');
  const counter = await identity.withKey((key) => key.signReceipt(statement));
  const text = nativeSync(() => composeReceipt(statement, pathToBytes(entry.path), salt, signature, counter));
  keep(readReceipt(text));
  return { text: `Receipt for ${displayName(entry.path)}`, signature: counter };
}

function refused(why: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_RECEIPT', `The statement is not signed: ${why}`);
}
