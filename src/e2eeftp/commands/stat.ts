/**
 * STAT: one entry's type, size, time and mode. `{path}` → 200 `{type, size, mtime, mode}`.
 */
import { native } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import { typeLetter } from '../entry-codec.js';
import type { RequestContext } from '../request-context.js';

/** Answers a STAT. */
export async function statCommand(context: RequestContext): Promise<CommandReply> {
  context.require('list');
  const { input, exchange } = context;
  const path = input.bytes('path');
  const { fileType, size, modifiedMs, mode } = await native(() => exchange.session.view.stat(path));
  return { text: 'OK', type: typeLetter(fileType), size: fileType === 'file' ? size : 0, mtime: modifiedMs, mode };
}
