/**
 * Directories that turn into links to the outside and back while thousands of requests run through them: what is
 * outside is never read, listed, measured, changed or removed, and nothing is made there.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { type CallReply, type Client, E2eeftpError } from '../../dist/index.js';
import { Canary, ONLY_OUTSIDE, SECRET } from './canary.js';
import type { RunOptions, Sandbox } from '../cli/run.js';
import { assertServes, Dice, leftovers, open, type RunningServer, sandbox } from './world.js';

const CLIENTS = 8;

/** What a request that lost the race may be answered. */
const ACCEPTED: ReadonlySet<string> = new Set([
  'E2EEFTP_NOT_PERMITTED',
  'E2EEFTP_NOT_FOUND',
  'E2EEFTP_NOT_DIRECTORY',
  'E2EEFTP_IS_DIRECTORY',
  'E2EEFTP_NOT_EMPTY',
  'E2EEFTP_BUSY',
  'E2EEFTP_EXISTS',
  // Another client removed or replaced the file that was being read.
  'E2EEFTP_SOURCE_CHANGED',
]);

/** What every file inside of the root holds. */
const INSIDE = 'inside\n';

const PLACES = ['swap', 'deep/swap'] as const;

/** One request on a name that swaps. Resolves to what must not hold anything of the outside. */
function ask(client: Client, dice: Dice, number: number): Promise<CallReply> {
  const place = PLACES[dice.below(2)] ?? 'swap';
  const path = (name: string): Buffer => Buffer.from(`${place}/${name}`);
  const other = Buffer.from(`other-${number % 50}`);
  switch (dice.below(17)) {
    case 0:
    case 1:
      return client.call('GET', { path: path('canary') });
    case 2:
      return client.call('GET', { path: path('sub/canary') });
    case 3:
      return client.call('LIST', { path: [path(''), Buffer.alloc(0)][dice.below(2)], recursive: dice.below(2) === 0 });
    case 4:
      return client.call('STAT', { path: path('canary') });
    case 5:
      return client.call('DELETE', { path: path('canary') });
    case 6:
      return client.call('DELETE', { path: path('sub'), recursive: true });
    case 7:
      return client.call('SEND', { path: path('canary') }, { body: INSIDE });
    case 8:
      return client.call('SEND', { path: path('sub/canary'), parents: true }, { body: INSIDE });
    case 9:
      return client.call('HASH', { path: path('canary') });
    case 10:
      return client.call('COPY', { from: path('canary'), to: other });
    case 11:
      return client.call('COPY', { from: path(''), to: Buffer.from(`tree-${number % 50}`), recursive: true });
    case 12:
      return client.call('COPY', { from: other, to: path('canary') });
    case 13:
      return client.call('MOVE', { from: path('canary'), to: other });
    case 14:
      return client.call('MOVE', { from: other, to: path('canary') });
    case 15:
      return client.call('MKDIR', { path: path(`made/${number % 50}-directory`), parents: true });
    default:
      return client.call('SEND', { path: path(`made/${number % 50}`), parents: true }, { body: INSIDE });
  }
}

/** What stands where the names swap. */
function furnish(directory: string): void {
  mkdirSync(join(directory, 'sub'), { recursive: true });
  for (const name of ['canary', 'sub/canary']) writeFileSync(join(directory, name), INSIDE);
}

/** Whether something that was fetched is from outside. */
function isSeenIn(directory: string): boolean {
  if (!existsSync(directory)) return false;
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).some((name) => {
    const path = join(directory, name);
    if (name.endsWith(ONLY_OUTSIDE)) return true;
    return lstatSync(path).isFile() && readFileSync(path, 'utf8').includes(SECRET);
  });
}

/**
 * Runs the race against a server and looks whether anything got out.
 *
 * @param requests how many are made in all
 * @param run how the server is started
 */
export async function swapRace(
  t: ExecutionContext,
  requests: number,
  run: RunOptions = {},
): Promise<{ box: Sandbox; server: RunningServer }> {
  const box = sandbox(t);
  // In memory where there is such a place: the race is about names, not about disks.
  const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'e2eeftp-swap-'));
  t.teardown(() => rmSync(base, { recursive: true, force: true }));
  const root = join(base, 'root');
  mkdirSync(root);
  const canary = new Canary(t, base);
  rmdirSync(box.path('files'));
  symlinkSync(root, box.path('files'));
  const server = await box.ready([], ['--log-level', 'warn'], { limitMs: 300_000, ...run });
  const swapper = fork(fileURLToPath(new URL('./swapper.js', import.meta.url)), [root, canary.dir]);
  t.teardown(() => swapper.kill('SIGKILL'));
  await once(swapper, 'message');

  const dice = new Dice();
  t.log(`seed ${dice.seed}`);
  const outcomes = new Map<string, number>();
  const count = (what: string): void => void outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  let left = requests;
  const client = async (): Promise<void> => {
    const connection = await open(t, box, server);
    while (left > 0) {
      left -= 1;
      try {
        const { body, fields } = await ask(connection, dice, left);
        count('done');
        const isSeen = body?.includes(SECRET) === true || body?.includes(ONLY_OUTSIDE) === true;
        // What is inside is only ever made of files of this length: a copy or a hash of another one is from outside.
        const isOdd = Number(fields['bytes'] ?? 0) % INSIDE.length !== 0;
        if (isSeen || isOdd || fields['size'] === SECRET.length) count('SEEN');
      } catch (error) {
        if (!E2eeftpError.is(error)) throw error;
        count(error.code);
      }
    }
  };
  const trees = async (): Promise<void> => {
    const connection = await open(t, box, server);
    const source = join(box.dir, 'tree-source');
    for (const place of PLACES) furnish(join(source, place));
    for (let round = 0; left > 0; round += 1) {
      const place = PLACES[dice.below(2)] ?? 'swap';
      const copy = join(box.dir, `tree-copy-${round}`);
      const asked = [
        // Through the name, as a directory of the tree and as its top, there with names that are deleted.
        () => connection.sendTree(source, '/', { onFailure: ({ error }) => count(`tree ${error.code}`) }),
        () => connection.sendTree(join(source, place), place, { delete: true }),
        () => connection.getTree('/', copy, { links: 'follow' }),
        () => connection.getTree(place, copy, { links: 'follow' }),
      ];
      try {
        await asked[round % asked.length]?.();
        count('tree done');
      } catch (error) {
        if (!E2eeftpError.is(error)) throw error;
        count(`tree ${error.code}`);
      }
      if (isSeenIn(copy)) count('SEEN');
      rmSync(copy, { recursive: true, force: true });
    }
  };
  await Promise.all([...Array.from({ length: CLIENTS }, client), trees()]);
  swapper.send('stop');
  const [rounds] = (await once(swapper, 'message')) as [number];
  await once(swapper, 'exit');
  t.log(`${rounds} rounds of swapping`, Object.fromEntries(outcomes));

  canary.assertAlive(t);
  t.is(outcomes.get('SEEN'), undefined);
  const refused = [...outcomes].map(([what]) => what.replace('tree ', '')).filter((what) => what !== 'done');
  t.deepEqual(
    refused.filter((what) => !ACCEPTED.has(what)),
    [],
  );
  t.true((outcomes.get('tree done') ?? 0) > 0 && (outcomes.get('tree E2EEFTP_NOT_PERMITTED') ?? 0) > 0);
  // There was a race: both outcomes were common.
  t.true((outcomes.get('done') ?? 0) > requests / 20 && (outcomes.get('E2EEFTP_NOT_PERMITTED') ?? 0) > requests / 100);
  t.deepEqual(leftovers(base), []);
  await assertServes(t, box, server);
  return { box, server };
}
