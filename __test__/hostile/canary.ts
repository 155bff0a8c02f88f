/** Something outside of the server's root that must never be read, changed, removed or joined by anything. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** What nobody may get to see. */
export const SECRET = 'the canary is alive and nobody has seen it\n';

/** A name that there is only outside. */
export const ONLY_OUTSIDE = 'only-outside';

export class Canary {
  readonly dir: string;
  readonly #before: string;

  /** @param parent where its directory is made. */
  constructor(t: ExecutionContext, parent: string = tmpdir()) {
    this.dir = mkdtempSync(join(parent, 'e2eeftp-canary-'));
    mkdirSync(join(this.dir, 'sub'));
    for (const name of ['canary', 'sub/canary', ONLY_OUTSIDE]) writeFileSync(join(this.dir, name), SECRET);
    this.#before = this.#look();
    t.teardown(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** Names, contents, modes and times are what they were. */
  assertAlive(t: ExecutionContext): void {
    t.is(this.#look(), this.#before);
  }

  #look(): string {
    return ['.', 'sub']
      .flatMap((directory) => {
        const names = readdirSync(join(this.dir, directory)).toSorted();
        return [directory, ...names.map((name) => join(directory, name))];
      })
      .map((name) => {
        const info = statSync(join(this.dir, name));
        const content = info.isFile() ? readFileSync(join(this.dir, name), 'utf8') : '';
        return `${name} ${info.mode} ${info.ino} ${info.mtimeMs} ${info.ctimeMs} ${content}`;
      })
      .join('\n');
  }
}
