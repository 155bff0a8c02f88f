/**
 * SEND: stores a file. It appears under its name only when all of it arrived and was verified; until then, and after any
 * failure, what was there before stays as it was.
 *
 * `{path, size?, mtime?, mtimeNs?, mode?, overwrite: 'replace' | 'refuse' | 'rename'?, parents?, durability?, stats?}` →
 * 100 → body → 226 `{bytes, root, path, durability, stats?}`; `path` is the final name, which `rename` may have chosen.
 */
import { E2eeftpError } from '../../errors.js';
import { native } from '../../native.js';
import type { NativeStaged, NativeStorage } from '../../native.js';
import { fullGrant, toNativeGrant } from '../../storage/grant.js';
import { pathFromBytes } from '../../storage/path-text.js';
import type { CommandReply } from '../command-registry.js';
import { requireNothingAt } from '../name-reservation.js';
import type { ReservedName } from '../name-reservation.js';
import type { RequestContext } from '../request-context.js';
import { readModified } from '../wire-time.js';
import type { WireTime } from '../wire-time.js';
import { STATUS_TRANSFER_COMPLETE } from '../status.js';

/** How far the data must be on disk before SEND answers: nothing, the file, or the file and its directory entry. */
export type Durability = 'none' | 'file' | 'directory';

const LEVELS: readonly [Durability, ...Durability[]] = ['none', 'file', 'directory'];

/** What a server does about durability. */
export interface DurabilityPolicy {
  /** For a client that does not say. */
  readonly durability: Durability;
  /** A wish for less is raised to this. */
  readonly leastDurability: Durability;
}

/** What is done for a client that wishes for `wished`: never less than the server's least. */
export function chosenDurability(wished: Durability | null, policy: DurabilityPolicy): Durability {
  const level = wished ?? policy.durability;
  const least = policy.leastDurability;
  return LEVELS.indexOf(level) < LEVELS.indexOf(least) ? least : level;
}

/** Answers a SEND. */
export async function sendCommand(context: RequestContext, policy: DurabilityPolicy): Promise<CommandReply> {
  context.require('write');
  const { input, exchange, grant } = context;
  const { view } = exchange.session;
  const wanted = input.bytes('path');
  const size = input.count('size');
  const mode = input.count('mode', 0o7777);
  const modified = readModified(input);
  const makeParents = input.boolean('parents', false);
  const choice = input.choice('overwrite', ['replace', 'refuse', 'rename']);
  const overwrite = choice === 'replace' && grant.overwrite;
  const wished = (context.args['durability'] ?? null) === null ? null : input.choice('durability', LEVELS);
  const durability = chosenDurability(wished, policy);
  const wantsStats = input.boolean('stats', false);
  const name = await chooseName(context, wanted, choice === 'rename', overwrite);
  try {
    const staged = await native(() =>
      view.stage(name.path, {
        overwrite,
        makeParents,
        ...(size === null ? {} : { expectedLen: size }),
        ...(mode === null ? {} : { mode: mode & 0o777 }),
      }),
    );
    const { bytes, root } = await receive(context, staged, size, modified, durability);
    context.exchange.completed = { direction: 'in', path: pathFromBytes(name.path), bytes, root: root.toString('hex') };
    const stats = wantsStats ? exchange.stats() : {};
    return {
      status: STATUS_TRANSFER_COMPLETE,
      text: 'Transfer Complete',
      bytes,
      root,
      path: name.path,
      durability,
      ...stats,
    };
  } finally {
    name.release();
  }
}

/** A client that may not replace the file that is there is told so before it sends anything. */
async function chooseName(
  context: RequestContext,
  wanted: Buffer,
  rename: boolean,
  overwrite: boolean,
): Promise<ReservedName> {
  const { storage, reservations } = context.exchange.session;
  const kindAt = (path: Buffer): Promise<string | null> => kindOf(storage, path);
  if (rename) return reservations.choose(context.grant.path, wanted, kindAt);
  if (!overwrite) await requireNothingAt(wanted, kindAt);
  return { path: wanted, release: () => undefined };
}

async function receive(
  context: RequestContext,
  staged: NativeStaged,
  size: number | null,
  modified: WireTime,
  durability: Durability,
): Promise<{ bytes: number; root: Buffer }> {
  try {
    const result = await context.exchange.receiveFile(staged, size);
    await native(() => staged.commit({ durability, ...modified }));
    return result;
  } catch (error) {
    // The first failure is the one to report; a staged file that can't be removed now is swept at the next start.
    await native(() => staged.abort()).catch((failure: unknown) => context.exchange.note(failure));
    throw error;
  }
}

/** What is at `path`: checked with the server's own rights, since a client may store without being allowed to look. */
async function kindOf(storage: NativeStorage, path: Buffer): Promise<string | null> {
  try {
    const own = storage.view(toNativeGrant(fullGrant));
    return (await native(() => own.stat(path))).fileType;
  } catch (error) {
    if (E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND') || E2eeftpError.is(error, 'E2EEFTP_NOT_DIRECTORY')) return null;
    // A link that leads out of the root counts as something that is there.
    if (E2eeftpError.is(error, 'E2EEFTP_NOT_PERMITTED')) return 'symlink';
    throw error;
  }
}
