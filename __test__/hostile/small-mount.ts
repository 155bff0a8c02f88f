/** A small file system in memory, mounted for one test. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { ExecutionContext } from 'ava';

/** Used with `--lazy`: somebody may still have a file open there. */
const UNMOUNT = 'umount';

/** Mounts it with some options of tmpfs (`size=4m`); it goes away with the test. */
export function mountSmall(t: ExecutionContext, directory: string, options: string): void {
  mkdirSync(directory, { recursive: true });
  mount(['-t', 'tmpfs', '-o', options, 'e2eeftp-test', directory]);
  t.teardown(() => execFileSync(UNMOUNT, ['--lazy', directory]));
}

/** Takes the right to write away from everybody, root included, or gives it back. */
export function remount(directory: string, mode: 'ro' | 'rw'): void {
  mount(['-o', `remount,${mode}`, directory]);
}

function mount(words: string[]): void {
  try {
    execFileSync('mount', words, { stdio: 'pipe' });
  } catch (error) {
    throw new Error(`this test needs root: it mounts a small file system (${String(error)})`, { cause: error });
  }
}
