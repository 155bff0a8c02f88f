/**
 * MOVE: gives a name another one, in one step. A symbolic link is moved itself; a directory is never replaced.
 * `{from, to, overwrite: 'replace' | 'refuse'?}` → 200.
 */
import { E2eeftpError } from '../../errors.js';
import { native } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import type { RequestContext } from '../request-context.js';
import type { Durability } from './send.js';

/** Answers a MOVE. */
export async function moveCommand(context: RequestContext, durability: Durability): Promise<CommandReply> {
  context.require(['delete', 'write']);
  const { input, exchange } = context;
  const from = input.bytes('from');
  const to = input.bytes('to');
  const overwrite = input.choice('overwrite', ['replace', 'refuse']) === 'replace';
  await native(() => exchange.session.view.rename(from, to, { overwrite, durability })).catch((error: unknown) => {
    if (!E2eeftpError.is(error, 'E2EEFTP_UNSUPPORTED')) throw error;
    throw new E2eeftpError('E2EEFTP_UNSUPPORTED', 'The two names are on different file systems: copy, then delete', {
      cause: error,
    });
  });
  return { text: 'Moved' };
}
