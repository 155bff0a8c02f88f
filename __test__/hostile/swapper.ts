/**
 * A process that swaps directories for links that lead out, and back, as fast as it can, until its parent ends it.
 * Arguments: the root, the directory outside.
 */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [root = '', outside = ''] = process.argv.slice(2);

/** Names that are sometimes a directory and sometimes a link. */
const pairs = ['swap', 'deep/swap'].map((name) => ({
  place: join(root, name),
  directory: join(root, `${name}.directory`),
  link: join(root, `${name}.link`),
}));

mkdirSync(join(root, 'deep'), { recursive: true });
for (const { place, link } of pairs) {
  mkdirSync(join(place, 'sub'), { recursive: true });
  for (const name of ['canary', 'sub/canary']) writeFileSync(join(place, name), 'inside\n');
  symlinkSync(outside, link);
}
process.send?.('ready');

let rounds = 0;
let moved = 0;

/** A rename that moves out of the way what a request has made at the free name. */
function rename(from: string, to: string): void {
  for (;;) {
    try {
      renameSync(from, to);
      return;
    } catch {
      moved += 1;
      renameSync(to, join(root, `made-meanwhile-${moved}`));
    }
  }
}

function swap(): void {
  for (let count = 0; count < 500; count += 1) {
    for (const { place, directory, link } of pairs) {
      rename(place, directory);
      rename(link, place);
      rename(place, link);
      rename(directory, place);
    }
    rounds += 1;
  }
  // Lets a message from the parent through.
  setImmediate(swap);
}

process.on('message', () => {
  process.send?.(rounds);
  process.exit(0);
});
// Nobody waits for an orphan.
process.on('disconnect', () => process.exit(0));
swap();
