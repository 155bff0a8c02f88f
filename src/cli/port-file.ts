/** The port file: tells other programs where a server listens, once it does. */
import { readFile, unlink } from 'node:fs/promises';
import { writeAtomically } from '../index.js';
import type { ListenAddress } from './listen-address.js';

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
    const { pid } = JSON.parse(await readFile(file, 'utf8')) as Partial<PortFile>;
    if (typeof pid === 'number' && (pid === process.pid || !isRunning(pid))) await unlink(file);
  } catch (error) {
    if (!(error instanceof SyntaxError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
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
    const content = JSON.parse(await readFile(file, 'utf8')) as Partial<PortFile>;
    if (content.pid === process.pid) await unlink(file);
  } catch (error) {
    // Gone or overwritten by something else: not ours to remove.
    if (!(error instanceof SyntaxError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
