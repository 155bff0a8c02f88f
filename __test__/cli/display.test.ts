import test from 'ava';
import { Interruption } from '../../dist/cli/interruption.js';
import { Output } from '../../dist/cli/output.js';
import type { OutputStream } from '../../dist/cli/output.js';
import { createProgressDisplay, describeProgress } from '../../dist/cli/progress-display.js';
import { reportError } from '../../dist/cli/report-error.js';
import { E2eeftpError } from '../../dist/index.js';
import type { Progress } from '../../dist/index.js';

class Lines implements OutputStream {
  text = '';
  readonly isTTY: boolean;

  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }

  write(chunk: string): boolean {
    this.text += chunk;
    return true;
  }
}

const moving: Progress = {
  transferred: 1_200_000,
  resumed: 0,
  total: 3_000_000,
  rate: 30_100_000,
  etaSeconds: 65,
  phase: 'moving',
  file: 'a',
};

test('progress in words', (t) => {
  t.is(describeProgress(moving), '40 %  1.20 MB of 3.00 MB  30.1 MB/s  1:05 min left');
  t.is(describeProgress({ ...moving, total: null, etaSeconds: null }), '1.20 MB  30.1 MB/s');
  t.is(describeProgress({ ...moving, phase: 'finishing' }), '40 %  1.20 MB of 3.00 MB  finishing');
  t.is(describeProgress({ ...moving, transferred: 2_999_999 }).split(' ')[0], '99');
  t.is(describeProgress({ ...moving, transferred: 0, total: 0, phase: 'done' }), '100 %  0 B of 0 B  done');
});

test.serial('without a terminal there is a line each 5 s, with the name escaped', (t) => {
  const stderr = new Lines();
  const display = createProgressDisplay('auto', new Output({ stderr }), 'xterm');
  const clock = Date.now;
  let now = 1_000_000;
  Date.now = () => now;
  t.teardown(() => (Date.now = clock));
  display.start('a\u001bb', 3_000_000);
  for (let second = 0; second < 11; second += 1) {
    display.update(moving);
    now += 1000;
  }
  display.stop();
  const line = 'a\\x1bb: 40 %  1.20 MB of 3.00 MB  30.1 MB/s  1:05 min left\n';
  t.is(stderr.text, line + line);
});

test('no progress with -q or none; a bar is for terminals only', (t) => {
  for (const [mode, quiet, tty, term] of [
    ['none', false, true, 'xterm'],
    ['auto', true, true, 'xterm'],
    ['bar', false, false, 'xterm'],
    ['bar', false, true, 'dumb'],
  ] as const) {
    const stderr = new Lines(tty);
    const display = createProgressDisplay(mode, new Output({ stderr, quiet }), term);
    display.start('a', 3_000_000);
    display.update(moving);
    display.stop();
    t.is(stderr.text, '', `${mode} ${term}`);
  }
});

test('errors: code, cause, next step; for several sources the one that failed', (t) => {
  const report = (error: unknown, file: string | null = null, json = false): [string, string, number] => {
    const [stdout, stderr] = [new Lines(), new Lines()];
    const now = (): Date => new Date(0);
    const code = reportError(new Output({ stdout, stderr, json, now }), error, file);
    return [stdout.text, stderr.text, code];
  };
  t.deepEqual(report(new E2eeftpError('E2EEFTP_NOT_FOUND', 'File not found: x\u001b', { hint: 'look' })), [
    '',
    'error[E2EEFTP_NOT_FOUND]: File not found: x\\x1b\n  → look\n',
    6,
  ]);
  t.is(report(new E2eeftpError('E2EEFTP_BUSY', 'in use'), 'a\nb')[1], 'error[E2EEFTP_BUSY]: a\\x0ab: in use\n');
  t.is(
    report(new E2eeftpError('E2EEFTP_BUSY', 'in use', { hint: 'wait' }), 'a', true)[0],
    '{"v":1,"type":"error","time":"1970-01-01T00:00:00.000Z","code":"E2EEFTP_BUSY","message":"in use","hint":"wait","file":"a"}\n',
  );
  const system = Object.assign(new Error("ENOENT: no such file or directory, stat '/a'"), {
    code: 'ENOENT',
    path: '/a',
  });
  t.is(report(system)[1], 'error[E2EEFTP_NOT_FOUND]: /a: no such file or directory\n');
  t.is(report(new Error('boom'))[2], 1);
  t.regex(report('text')[1], /error\[E2EEFTP_INTERNAL\]: text/);
});

test('the time-out runs from the last sign of life, and rests while a person is asked', async (t) => {
  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const interruption = new Interruption(0.2);
  for (let round = 0; round < 4; round += 1) {
    await wait(100);
    interruption.alive();
  }
  t.false(interruption.signal.aborted);
  interruption.pauseTimeout();
  await wait(400);
  t.false(interruption.signal.aborted);
  interruption.alive();
  await wait(400);
  t.true(E2eeftpError.is(interruption.signal.reason, 'E2EEFTP_TIMEOUT'));
  interruption.close();
});

test.serial('a second signal ends the process at once', (t) => {
  const codes: number[] = [];
  const interruption = new Interruption(undefined, (code) => codes.push(code));
  interruption.listen();
  process.emit('SIGINT', 'SIGINT');
  t.true(E2eeftpError.is(interruption.signal.reason, 'E2EEFTP_ABORTED'));
  t.is(interruption.exitCode, 130);
  t.deepEqual(codes, []);
  process.emit('SIGINT', 'SIGINT');
  t.deepEqual(codes, [130]);
  interruption.close();
});
