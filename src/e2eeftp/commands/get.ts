/**
 * GET: fetches a file. `{path}` → 150 `{size, mtime, mode}` → body → 226 `{bytes, root}`.
 */
import { E2eeftpError } from '../../errors.js';
import { native, nativeSync } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { pathFromBytes, remoteBaseName } from '../../storage/path-text.js';
import type { CommandReply } from '../command-registry.js';
import type { RequestContext } from '../request-context.js';
import { STATUS_TRANSFER_COMPLETE } from '../status.js';

/** Answers a GET. */
export async function getCommand(context: RequestContext): Promise<CommandReply> {
  context.require('read');
  const { input, exchange } = context;
  const path = input.bytes('path');
  const text = pathFromBytes(path);
  const source = await native(() => exchange.session.view.openSource(path)).catch((error: unknown) => {
    if (!E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) throw error;
    const name = displayName(remoteBaseName(text));
    throw new E2eeftpError('E2EEFTP_NOT_FOUND', `File not found: ${name}`, { cause: error });
  });
  try {
    const { size, modifiedMs, mode } = nativeSync(() => source.metadata);
    const { bytes, root } = await exchange.sendFile(source, { size, mtime: modifiedMs, mode });
    exchange.completed = { direction: 'out', path: text, bytes, root: root.toString('hex') };
    return { status: STATUS_TRANSFER_COMPLETE, text: 'Transfer Complete', bytes, root };
  } finally {
    source.close();
  }
}
