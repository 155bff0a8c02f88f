/** Which of several tries of one upload makes room for which. */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { RunningUploads } from '../../dist/e2eeftp/running-uploads.js';

const TARGET = Buffer.from('/file');

/** Counts, and moves as long as it is told to. */
class Try {
  cuts = 0;
  transferred = 0;
  readonly cut = (): void => {
    this.cuts += 1;
  };
  readonly progress = (): { transferred: number; kept: number; total: number; phase: string } => {
    this.transferred += 1;
    return { transferred: this.transferred, kept: 0, total: 9, phase: 'moving' };
  };
}

test('an earlier try of the same run is ended and waited for', async (t) => {
  const uploads = new RunningUploads();
  const [first, second] = [new Try(), new Try()];
  const one = await uploads.begin('owner', TARGET, 'run', first.cut);
  one.watch(first);
  let isOver = false;
  const beginning = uploads.begin('owner', TARGET, 'run', second.cut).then((two) => {
    t.true(isOver, 'not before the first has let go');
    return two;
  });
  await sleep(50);
  t.is(first.cuts, 1);
  isOver = true;
  one.end();
  const two = await beginning;
  t.is(second.cuts, 0);
  two.end();
});

test('another run is waited for a little and left alone while it moves', async (t) => {
  const uploads = new RunningUploads();
  const [first, second] = [new Try(), new Try()];
  const one = await uploads.begin('owner', TARGET, 'one', first.cut);
  one.watch(first);
  const two = await uploads.begin('owner', TARGET, 'two', second.cut);
  t.is(first.cuts, 0);
  // The second one's end does not make the first one forgotten.
  two.end();
  const again = uploads.begin('owner', TARGET, 'one', second.cut);
  t.is(first.cuts, 1);
  one.end();
  (await again).end();
});

test('other targets and other owners have nothing to do with each other', async (t) => {
  const uploads = new RunningUploads();
  const first = new Try();
  const one = await uploads.begin('owner', TARGET, 'run', first.cut);
  const other = new Try();
  const begun = await Promise.all([
    uploads.begin('owner', Buffer.from('/other'), 'run', other.cut),
    uploads.begin('stranger', TARGET, 'run', other.cut),
  ]);
  for (const upload of begun) upload.end();
  t.is(first.cuts, 0);
  one.end();
});
