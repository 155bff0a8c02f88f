import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { PROGRESS_INTERVAL_MS, ProgressReporter } from '../../dist/e2eeftp/client/progress.js';
import type { Progress } from '../../dist/e2eeftp/client/progress.js';

const moving = (transferred: number, total: number) => ({ progress: () => ({ transferred, total, phase: 'moving' }) });

test('at most ten reports a second, and one at the end', async (t) => {
  const reports: Progress[] = [];
  const started = performance.now();
  let transferred = 0;
  const source = { progress: () => ({ transferred: (transferred += 1000), total: 100_000, phase: 'moving' }) };
  const reporter = new ProgressReporter(
    source,
    'a.bin',
    (report) => reports.push(report),
    () => t.fail(),
  );
  await delay(450);
  reporter.finish(100_000);
  const most = Math.floor((performance.now() - started) / PROGRESS_INTERVAL_MS) + 1;
  t.true(reports.length >= 2 && reports.length <= most, `${reports.length} reports, at most ${most}`);
  const last = reports.at(-1);
  t.deepEqual(last && { ...last, rate: 0 }, {
    transferred: 100_000,
    resumed: 0,
    total: 100_000,
    rate: 0,
    etaSeconds: 0,
    phase: 'done',
    file: 'a.bin',
  });
  t.is(reports.filter(({ phase }) => phase === 'done').length, 1);
  t.true((last?.rate ?? 0) > 0);
  const count = reports.length;
  await delay(250);
  t.is(reports.length, count, 'nothing is reported after the end');
});

test('rate and remaining time follow from the samples', async (t) => {
  const reports: Progress[] = [];
  const started = performance.now();
  const source = {
    progress: () => ({ transferred: (performance.now() - started) * 1000, total: 10_000_000, phase: 'moving' }),
  };
  const reporter = new ProgressReporter(
    source,
    'x',
    (report) => reports.push(report),
    () => t.fail(),
  );
  await delay(600);
  reporter.stop();
  const last = reports.at(-1);
  t.true(Math.abs((last?.rate ?? 0) - 1_000_000) < 100_000, `rate ${last?.rate}`);
  t.true(Math.abs((last?.etaSeconds ?? 0) - 9.4) < 1.5, `eta ${last?.etaSeconds}`);
});

test('an unknown length has no total and no remaining time', async (t) => {
  const reports: Progress[] = [];
  const reporter = new ProgressReporter(
    moving(5, -1),
    'x',
    (report) => reports.push(report),
    () => t.fail(),
  );
  await delay(150);
  reporter.stop();
  t.is(reports[0]?.total, null);
  t.is(reports[0]?.etaSeconds, null);
});

test('a callback that throws is not called again', async (t) => {
  const thrown = new Error('callback');
  const told: unknown[] = [];
  let calls = 0;
  const report = (): void => {
    calls += 1;
    throw thrown;
  };
  const reporter = new ProgressReporter(moving(1, 2), 'x', report, (error) => told.push(error));
  await delay(350);
  reporter.finish(2);
  t.is(calls, 1);
  t.deepEqual(told, [thrown]);
});
