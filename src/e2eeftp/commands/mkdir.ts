/**
 * MKDIR: makes a directory; with `parents` also those that are missing above, and one that is there already is a
 * success. `{path, parents?}` → 200.
 */
import { native } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import type { RequestContext } from '../request-context.js';

/** Answers a MKDIR. */
export async function mkdirCommand(context: RequestContext): Promise<CommandReply> {
  context.require('write');
  const { input, exchange } = context;
  const path = input.bytes('path');
  const parents = input.boolean('parents', false);
  await native(() => exchange.session.view.makeDirectory(path, parents));
  return { text: 'Directory created' };
}
