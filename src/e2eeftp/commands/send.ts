/**
 * SEND: stores a file. It appears under its name only when all of it arrived and was verified; until then, and after any
 * failure, what was there before stays as it was.
 *
 * `{path, size?, mtime?, mtimeNs?, mode?, overwrite: 'replace' | 'refuse' | 'rename'?, parents?, compress?, durability?,
 * stats?}` → 100 → body → 226 `{bytes, root, path, kept, durability, stats?}`; `path` is the final name, which `rename`
 * may have chosen. With `blocks` a file of more than one block travels by blocks (docs/PROTOCOL.md §9), unless it is
 * compressed.
 */
import { E2eeftpError } from '../../errors.js';
import { native } from '../../native.js';
import type { NativeBlocks, NativeStaged, NativeStorage } from '../../native.js';
import { fullGrant, toNativeGrant } from '../../storage/grant.js';
import { pathFromBytes } from '../../storage/path-text.js';
import type { CommandReply } from '../command-registry.js';
import { readCompression } from '../compression.js';
import type { Compression } from '../compression.js';
import { requireNothingAt } from '../name-reservation.js';
import type { ReservedName } from '../name-reservation.js';
import type { RequestContext } from '../request-context.js';
import { readModified } from '../wire-time.js';
import type { WireTime } from '../wire-time.js';
import type { Exchange } from '../exchange.js';
import { uploadKey } from '../resume-key.js';
import { STATUS_OK, STATUS_TRANSFER_COMPLETE } from '../status.js';
import { isSameStamp, readStamp } from '../unchanged.js';

/** How far the data must be on disk before SEND answers: nothing, the file, or the file and its directory entry. */
export type Durability = 'none' | 'file' | 'directory';

/** What a SEND asks for, read. */
interface Wanted {
  readonly path: Buffer;
  readonly size: number | null;
  readonly modified: WireTime;
  readonly compress: Compression;
  /** What every new file starts with. */
  readonly stage: { readonly overwrite: boolean; readonly makeParents: boolean; mode?: number; expectedLen?: number };
  /** By blocks; `null` when the client, or the length, asks for a plain body. */
  readonly blocks: WantedBlocks | null;
}

interface WantedBlocks {
  readonly size: number;
  /** Go on with what an earlier try has left. */
  readonly resume: boolean;
  /** Take over blocks of the file that has the name. */
  readonly delta: boolean;
  readonly isSparse: boolean;
  /** Further connections that the client would like. */
  readonly lanes: number;
  /** The same one in each try of one run. */
  readonly run: string;
}

/** What was stored. */
interface Stored {
  readonly bytes: number;
  readonly root: Buffer;
  /** Bytes that were there before. */
  readonly kept: number;
}

/** A file of one block can't be gone on with. */
export const MIN_BLOCKS_SIZE: number = 1024 * 1024 + 1;

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
  const wanted = readWanted(context);
  const { input, exchange } = context;
  const wished = (context.args['durability'] ?? null) === null ? null : input.choice('durability', LEVELS);
  const durability = chosenDurability(wished, policy);
  const wantsStats = input.boolean('stats', false);
  const { path, stage } = wanted;
  const choice = context.input.choice('overwrite', ['replace', 'refuse', 'rename']);
  const unchanged = await findUnchanged(context, path);
  if (unchanged) return { status: STATUS_OK, text: 'Unchanged', unchanged: true, path };
  const name = await chooseName(context, path, choice === 'rename', stage.overwrite);
  try {
    const { bytes, root, kept } = await store(context, { ...wanted, path: name.path }, durability);
    context.exchange.completed = { direction: 'in', path: pathFromBytes(name.path), bytes, root: root.toString('hex') };
    const told = { bytes, root, path: name.path, kept, durability, ...(wantsStats ? exchange.stats() : {}) };
    return { status: STATUS_TRANSFER_COMPLETE, text: 'Transfer Complete', ...told };
  } finally {
    name.release();
  }
}

function readWanted(context: RequestContext): Wanted {
  const { input, grant } = context;
  const path = input.bytes('path');
  const size = input.count('size');
  const mode = input.count('mode', 0o7777);
  const modified = readModified(input);
  const compress = readCompression(input);
  const makeParents = input.boolean('parents', false);
  const overwrite = input.choice('overwrite', ['replace', 'refuse', 'rename']) === 'replace' && grant.overwrite;
  const byBlocks = input.boolean('blocks', false) && compress === 'none' && size !== null && size >= MIN_BLOCKS_SIZE;
  const blocks = {
    resume: input.boolean('resume', true),
    delta: input.boolean('delta', false),
    isSparse: input.boolean('sparse', false),
    lanes: input.count('lanes', 1024) ?? 0,
    run: (input.optionalBytes('run') ?? Buffer.alloc(0)).toString('hex'),
  };
  return {
    path,
    size,
    modified,
    compress,
    stage: {
      overwrite,
      makeParents,
      ...(size === null ? {} : { expectedLen: size }),
      ...(mode === null ? {} : { mode: mode & 0o777 }),
    },
    blocks: byBlocks ? { ...blocks, size } : null,
  };
}

/** Whether the client has said that a file with this stamp need not be stored, and it is there. */
async function findUnchanged(context: RequestContext, path: Buffer): Promise<boolean> {
  const stamp = readStamp(context.input, 'unless');
  // To say that it is there is to tell what is there.
  if (stamp === null || !(context.grant.read || context.grant.list)) return false;
  const { view } = context.exchange.session;
  try {
    const found = await native(() => view.stat(path));
    return found.fileType === 'file' && isSameStamp(stamp, found);
  } catch (error) {
    // Whatever is in the way is told when the file is stored.
    if (E2eeftpError.is(error)) return false;
    throw error;
  }
}

async function store(context: RequestContext, wanted: Wanted, durability: Durability): Promise<Stored> {
  const { view } = context.exchange.session;
  const { path, size, modified, compress, stage, blocks } = wanted;
  if (blocks !== null) return storeBlocks(context, wanted, blocks, durability);
  const staged = await native(() => view.stage(path, stage));
  return { ...(await receive(context, staged, { size, modified, durability, compress })), kept: 0 };
}

async function storeBlocks(
  context: RequestContext,
  wanted: Wanted,
  { resume, delta, isSparse, lanes, run }: WantedBlocks,
  durability: Durability,
): Promise<Stored> {
  const { exchange, peer } = context;
  const { view, uploads, channel } = exchange.session;
  const { path, modified, stage } = wanted;
  const owner = `${peer.fingerprint} ${context.grant.path}`;
  const upload = await exchange.patiently(() => uploads.begin(owner, path, run, () => channel.destroy()));
  const options = {
    stage,
    key: uploadKey(peer.fingerprint),
    isSparse,
    adopt: delta,
    isDurable: durability !== 'none',
  };
  let blocks: NativeBlocks | null = null;
  try {
    blocks = await native(() => view.stageBlocks(path, options));
    if (!resume) blocks = await stageAnew(blocks, () => view.stageBlocks(path, options));
    const staged = blocks;
    const stored = await exchange.receiveBlocks(staged, lanes, (transfer) => upload.watch(transfer));
    noteJournal(exchange, staged);
    // To make a large file durable takes its time, too.
    await exchange.patiently(() => native(() => staged.commit({ durability, ...modified })));
    blocks = null;
    return stored;
  } finally {
    if (blocks !== null) await letGo(exchange, blocks);
    // Not before: the next try finds what this one has left.
    upload.end();
  }
}

async function stageAnew(blocks: NativeBlocks, stage: () => Promise<NativeBlocks>): Promise<NativeBlocks> {
  await native(() => blocks.release(true));
  return native(stage);
}

/** What has arrived waits for the next try; the failure that led here is the one to report. */
async function letGo(exchange: Exchange, blocks: NativeBlocks): Promise<void> {
  noteJournal(exchange, blocks);
  await native(() => blocks.release(false)).catch((failure: unknown) => exchange.note(failure));
}

/** A transfer goes on without its journal; that it had to is for the log. */
function noteJournal(exchange: Exchange, blocks: NativeBlocks): void {
  const failure = blocks.takeJournalError();
  if (failure !== null) exchange.note(new E2eeftpError('E2EEFTP_IO', `no journal: ${failure}`));
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

/** What is known of a file before it comes. */
interface Incoming {
  readonly size: number | null;
  readonly modified: WireTime;
  readonly durability: Durability;
  readonly compress: Compression;
}

async function receive(
  context: RequestContext,
  staged: NativeStaged,
  incoming: Incoming,
): Promise<{ bytes: number; root: Buffer }> {
  const { size, modified, durability, compress } = incoming;
  try {
    const result = await context.exchange.receiveFile(staged, size, compress);
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
