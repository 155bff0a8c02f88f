/**
 * A tree with a request for each name, for a server whose application decides about each. Slower, and without what single
 * requests can't carry: symbolic and hard links, and the times of directories.
 */
import { mkdir, opendir, rm, stat, unlink } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import { E2eeftpError } from '../../errors.js';
import { nativeSync } from '../../native.js';
import type { NativeTreeCounts } from '../../native.js';
import { joinRemote, pathFromBytes, pathToBytes } from '../../storage/path-text.js';
import type { Entry } from '../entry-codec.js';
import { isSessionDead } from '../exchange.js';
import { getFile } from './get.js';
import { listEntries } from './list.js';
import { sendFile } from './send.js';
import type { Pace } from './tracked-transfer.js';
import type { GetTreeOptions, TreeOptions } from './tree-options.js';
import type { Channel } from './channel.js';
import type { TreeParts, TreeRun } from './tree-run.js';

/** What a walk knows of a name on either side. */
interface Found {
  readonly name: string;
  readonly type: Entry['type'];
  readonly size: number;
  readonly modifiedMs: number;
}

/** How one side of a walk is read and the other changed. */
interface Sides {
  readonly source: (path: string) => Promise<Found[]>;
  /** `null` when there is no such directory, or none that this client may look into. */
  readonly target: (path: string) => Promise<Found[] | null>;
  readonly makeDirectory: (path: string) => Promise<void>;
  readonly move: (path: string) => Promise<{ readonly bytes: number }>;
  readonly remove: (path: string, isDirectory: boolean) => Promise<void>;
}

/** PUSH by SEND, MKDIR, LIST and DELETE. */
export function sendFileByFile(
  { line }: TreeParts,
  run: TreeRun,
  localPath: string,
  remotePath: string,
  options: TreeOptions & Pace,
): Promise<NativeTreeCounts> {
  const { overwrite = 'replace', preserve = true, signal, limitedWith } = options;
  const how = { overwrite, preserve, limitedWith, ...(signal === undefined ? {} : { signal }) };
  const remote = (path: string): string => (path === '' ? remotePath : joinRemote(remotePath, path));
  const local = (path: string): string => (path === '' ? localPath : joinRemote(localPath, path));
  return walk(run, options, {
    source: (path) => listLocal(local(path), options.links === 'follow'),
    target: (path) => orNull(listRemote(line.channel, remote(path), signal)),
    makeDirectory: async (path) => {
      await line.channel.request('MKDIR', { path: pathToBytes(remote(path)), parents: true }, { signal });
    },
    move: (path) => sendFile(line, local(path), remote(path), how),
    remove: async (path, isDirectory) => {
      await line.channel.request('DELETE', { path: pathToBytes(remote(path)), recursive: isDirectory }, { signal });
    },
  });
}

/** PULL by LIST and GET. */
export function getFileByFile(
  { line, serverFingerprint }: TreeParts,
  run: TreeRun,
  remotePath: string,
  localPath: string,
  options: GetTreeOptions & Pace,
): Promise<NativeTreeCounts> {
  const { overwrite = 'replace', preserve = true, durability = 'file', signal, limitedWith } = options;
  const remote = (path: string): string => (path === '' ? remotePath : joinRemote(remotePath, path));
  const local = (path: string): string => (path === '' ? localPath : joinRemote(localPath, path));
  return walk(run, options, {
    source: (path) => listRemote(line.channel, remote(path), signal),
    target: (path) => orNull(listLocal(local(path), false)),
    makeDirectory: async (path) => {
      await mkdir(pathToBytes(local(path)), { recursive: true });
    },
    move: (path) =>
      getFile(line, serverFingerprint, remote(path), local(path), {
        overwrite,
        preserve,
        durability,
        parents: false,
        limitedWith,
        ...(signal ? { signal } : {}),
      }),
    remove: async (path, isDirectory) => {
      if (isDirectory) await rm(pathToBytes(local(path)), { recursive: true });
      else await unlink(pathToBytes(local(path)));
    },
  });
}

async function walk(run: TreeRun, options: TreeOptions, sides: Sides): Promise<NativeTreeCounts> {
  const { dryRun = false, overwrite = 'replace', signal } = options;
  const counts: NativeTreeCounts = { files: 0, bytes: 0, skipped: 0, directories: 0, links: 0, deleted: 0, failed: 0 };
  const attempt = async (path: string, work: () => Promise<void>): Promise<void> => {
    signal?.throwIfAborted();
    try {
      await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (isSessionDead(error)) throw error;
      counts.failed += 1;
      run.fail(path, error);
    }
  };
  const pending = [''];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const directory = path;
    await attempt(directory, async () => {
      const names = await sides.source(directory);
      const there = await sides.target(directory);
      if (there === null) {
        counts.directories += 1;
        if (!dryRun) await sides.makeDirectory(directory);
      }
      const known = new Map((there ?? []).map((found) => [found.name, found]));
      for (const found of names) {
        const child = directory === '' ? found.name : `${directory}/${found.name}`;
        const isDirectory = found.type === 'directory';
        const old = known.get(found.name);
        known.delete(found.name);
        if (!nativeSync(() => run.tree.takes(pathToBytes(child), isDirectory))) continue;
        if (isDirectory) pending.push(child);
        else if (found.type === 'file') await attempt(child, () => file(child, found, old));
        else if (found.type === 'symlink' && options.links !== 'skip') {
          await attempt(child, () => Promise.reject(unsupported()));
        }
      }
      if (options.delete !== true) return;
      for (const [name, { type }] of known) {
        const child = directory === '' ? name : `${directory}/${name}`;
        const isDirectory = type === 'directory';
        // A directory may hold what the rules protect.
        const isKept = nativeSync(() => run.tree.protects(pathToBytes(child), isDirectory));
        if (isKept || (isDirectory && (options.filter ?? []).length > 0)) continue;
        await attempt(child, async () => {
          if (!dryRun) await sides.remove(child, isDirectory);
          counts.deleted += 1;
          options.onDelete?.({ path: child, bytes: 0 });
        });
      }
    });
  }
  return counts;

  async function file(path: string, found: Found, old: Found | undefined): Promise<void> {
    const isSame = old?.type === 'file' && old.size === found.size && old.modifiedMs === found.modifiedMs;
    if (isSame) {
      counts.skipped += 1;
      return;
    }
    if (old !== undefined && overwrite === 'refuse') {
      throw new E2eeftpError('E2EEFTP_EXISTS', 'already exists');
    }
    const { bytes } = dryRun ? { bytes: found.size } : await sides.move(path);
    counts.files += 1;
    counts.bytes += bytes;
    options.onFile?.({ path, bytes });
  }
}

async function listRemote(channel: Channel, path: string, signal: AbortSignal | undefined): Promise<Found[]> {
  const all: Found[] = [];
  for await (const { name, type, size, modified } of listEntries(channel, path, signal)) {
    all.push({ name, type, size, modifiedMs: modified.getTime() });
  }
  return all;
}

async function listLocal(path: string, followsLinks: boolean): Promise<Found[]> {
  const all: Found[] = [];
  const directory = await opendir(pathToBytes(path), { encoding: 'buffer' as BufferEncoding });
  for await (const entry of directory) {
    const name = pathFromBytes((entry as unknown as Dirent<Buffer>).name);
    if (name.startsWith('.e2eeftp-')) continue;
    const type = entry.isSymbolicLink() && !followsLinks ? 'symlink' : null;
    const info = type === null ? await stat(pathToBytes(joinRemote(path, name))).catch(() => null) : null;
    const found = type ?? (info?.isDirectory() === true ? 'directory' : info?.isFile() === true ? 'file' : 'other');
    all.push({ name, type: found, size: info?.size ?? 0, modifiedMs: Math.floor(info?.mtimeMs ?? 0) });
  }
  return all.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

/** `null` for a directory that is not there, or that may not be looked into: what comes next tells. */
async function orNull(listing: Promise<Found[]>): Promise<Found[] | null> {
  try {
    return await listing;
  } catch (error) {
    if (isSessionDead(error)) throw error;
    return null;
  }
}

function unsupported(): E2eeftpError {
  return new E2eeftpError('E2EEFTP_UNSUPPORTED', 'a symbolic link can’t travel to or from this server');
}
