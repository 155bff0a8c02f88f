/** The port file: tells other programs where a server listens, once it does. */
import { unlink } from 'node:fs/promises';
import { writeAtomically } from '../index.js';
import { readSmallFile, UnfitFileError } from '../identity/read-small-file.js';
import type { ListenAddress } from './listen-address.js';

/** Longest port file, in bytes. */
const MAX_FILE = 64 * 1024;

/** The content of a port file: one JSON object. Protocols that are not served have an empty list. */
export interface PortFile {
  pid: number;
  /** The server's key. */
  fingerprint: string;
  e2eeftp: ListenAddress[];
  sftp: ListenAddress[];
  ftps: ListenAddress[];
  classic: ListenAddress[];
}

/** Writes the file whole: whoever sees it sees all of it. */
export async function writePortFile(file: string, content: PortFile): Promise<void> {
  await writeAtomically(file, `${JSON.stringify(content)}\n`, { mode: 0o644 });
}

/**
 * Removes what a server that is gone left behind, so that nobody takes its addresses for those of the server that is
 * starting. The file of a process that runs stays, and so does what is no port file.
 */
export async function removeStalePortFile(file: string): Promise<void> {
  try {
    const { pid } = await readPortFile(file);
    if (typeof pid === 'number' && (pid === process.pid || !isRunning(pid))) await unlink(file);
  } catch (error) {
    if (!isForeign(error)) throw error;
  }
}

async function readPortFile(file: string): Promise<Partial<PortFile>> {
  const { bytes } = await readSmallFile(file, MAX_FILE);
  return JSON.parse(bytes.toString('utf8')) as Partial<PortFile>;
}

/** Whether the error says that there is no port file, or something else in its place. */
function isForeign(error: unknown): boolean {
  if (error instanceof SyntaxError || error instanceof UnfitFileError) return true;
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes the file, unless another process has written its own there since. */
export async function removePortFile(file: string): Promise<void> {
  try {
    const content = await readPortFile(file);
    if (content.pid === process.pid) await unlink(file);
  } catch (error) {
    // Gone or overwritten by something else: not ours to remove.
    if (!isForeign(error)) throw error;
  }
}
