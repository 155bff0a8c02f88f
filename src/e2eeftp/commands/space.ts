/**
 * SPACE: the room of the file system that holds a name. `{path}` → 200 `{total, free, available, files?, filesFree?}`.
 */
import { native } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import type { RequestContext } from '../request-context.js';
import type { Requirement } from '../requirement.js';

/** Who may look around, and who has to know what fits. */
export const SPACE_REQUIREMENT: Requirement = { anyOf: ['list', 'write'] };

/** Answers a SPACE. */
export async function spaceCommand(context: RequestContext): Promise<CommandReply> {
  context.require(SPACE_REQUIREMENT);
  const { input, exchange } = context;
  const path = input.bytes('path');
  const { total, free, available, files, filesFree } = await native(() => exchange.session.view.space(path));
  return {
    text: 'OK',
    total: count(total),
    free: count(free),
    available: count(available),
    // A file system without a table of inodes has no limit to tell.
    ...(files === 0 ? {} : { files: count(files), filesFree: count(filesFree) }),
  };
}

/** Some network file systems report more than any disk has. */
function count(value: number): number {
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}
