/** Which names of a tree are taken, and which are deleted: the same as with rsync, the original of these rules. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import type { FilterRule } from '../../dist/index.js';
import { repeated } from '../property-runs.js';
import { startPair } from './pair.js';

const run = promisify(execFile);
const RUNS = repeated(40);

/** No name is a file here and a directory there: what becomes of those is not a matter of rules. */
const DIRECTORIES = ['a', 'b', 'src', 'x[1]', 'ab'];
const FILES = ['c', 'c.o', 'd.log', 'a.o', '[c]', 'ac'];

const path = fc
  .tuple(fc.array(fc.constantFrom(...DIRECTORIES), { maxLength: 3 }), fc.constantFrom(...FILES))
  .map(([directories, file]) => [...directories, file].join('/'));

const segment = fc.constantFrom(
  'a',
  'b',
  'src',
  '*',
  '?',
  '*.o',
  '*.log',
  '**',
  '[ab]',
  '[!a]*',
  'a?',
  '***',
  'x\\[1\\]',
);
const pattern = fc
  .tuple(
    fc.constantFrom('', '/'),
    fc.array(segment, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('', '/', '/**', '/***'),
  )
  .map(([start, parts, end]) => `${start}${parts.join('/')}${end}`);
const rule: fc.Arbitrary<FilterRule> = fc.record({ action: fc.constantFrom('include', 'exclude'), pattern });

async function furnish(top: string, paths: readonly string[]): Promise<void> {
  await mkdir(top);
  for (const each of paths) {
    await mkdir(dirname(join(top, each)), { recursive: true });
    await writeFile(join(top, each), each);
  }
}

async function everything(top: string): Promise<string[]> {
  return (await readdir(top, { recursive: true })).toSorted();
}

test('the same rules choose the same names as in rsync, also of those to be deleted', async (t) => {
  t.timeout(180_000);
  const { client, root, local } = await startPair(t);
  const peer = await client();
  const source = join(local, 'source');
  const [theirs, ours] = [join(local, 'theirs'), join(root, 'ours')];
  const paths = fc.uniqueArray(path, { minLength: 3, maxLength: 24 });
  await fc.assert(
    fc.asyncProperty(
      paths,
      paths,
      fc.array(rule, { maxLength: 5 }),
      fc.boolean(),
      async (wanted, there, filter, isDeleting) => {
        for (const folder of [source, theirs, ours]) await rm(folder, { recursive: true, force: true });
        await furnish(source, wanted);
        await furnish(theirs, there);
        await cp(theirs, ours, { recursive: true });
        const rules = filter.map(({ action, pattern: text }) => `--${action}=${text}`);
        const how = isDeleting ? ['--delete'] : [];
        // Checksums, because files of one length that are made in one moment are equal by time.
        await run('rsync', ['-a', '--checksum', ...how, ...rules, `${source}/`, `${theirs}/`]).catch(
          (error: { code?: number | string }) => {
            if (error.code === 'ENOENT') throw new Error('no rsync here: apt-get install rsync');
            if (error.code !== 23) throw error;
          },
        );
        await peer.sendTree(source, '/ours', { filter, delete: isDeleting, checksum: true });
        t.deepEqual(await everything(ours), await everything(theirs), rules.join(' '));
      },
    ),
    { numRuns: RUNS },
  );
});
