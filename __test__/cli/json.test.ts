import { mkdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import type { CliEvent } from '../../dist/cli/events.js';
import { Output } from '../../dist/cli/output.js';
import { errorTable } from '../../dist/index.js';
import { events, Sandbox } from './run.js';

type Check = (value: unknown) => boolean;
const text: Check = (value) => typeof value === 'string';
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const amount: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const flag: Check = (value) => typeof value === 'boolean';
const root: Check = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
const object: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const time: Check = (value) => typeof value === 'string' && new Date(value).toISOString() === value;
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const one =
  (...choices: unknown[]): Check =>
  (value) =>
    choices.includes(value);

/** Figures of one side: numbers, and a name for each connection. */
function sideStats(value: unknown): boolean {
  if (!object(value)) return false;
  const { stages, connections } = value as { stages: unknown; connections: unknown };
  if (!object(stages) || !Array.isArray(connections)) return false;
  const figures = (one_: object): boolean =>
    Object.entries(one_).every(([name, figure]) => (name === 'congestionControl' ? text(figure) : amount(figure)));
  return figures(stages as object) && connections.every((each) => object(each) && figures(each as object));
}

/** One check for every field of every type: the compiler sees to it that none is missing or unknown. */
const SCHEMA: { [T in CliEvent['type']]: Record<Exclude<keyof Extract<CliEvent, { type: T }>, 'type'>, Check> } = {
  start: { v: one(1), time, operation: one('send', 'get', 'sync'), files: count, dryRun: flag },
  phase: { v: one(1), time, phase: text, file: orNull(text) },
  progress: {
    v: one(1),
    time,
    file: text,
    phase: text,
    transferred: count,
    total: orNull(count),
    rate: amount,
    etaSeconds: orNull(amount),
    entries: orNull(count),
  },
  file: {
    v: one(1),
    time,
    source: text,
    target: text,
    action: one('moved', 'would-move', 'skipped', 'deleted', 'would-delete'),
    bytes: count,
    seconds: amount,
    root: orNull(root),
    verified: flag,
  },
  stats: {
    v: one(1),
    time,
    file: text,
    direction: one('up', 'down'),
    bytes: count,
    seconds: amount,
    local: (value) => sideStats(value),
    peer: orNull((value) => sideStats(value)),
    limitedBy: text,
    advice: text,
  },
  resume: { v: one(1), time, file: text, resumedBytes: count },
  retry: {
    v: one(1),
    time,
    file: text,
    attempt: count,
    delaySeconds: amount,
    code: (value) => text(value) && (value as string) in errorTable,
    message: text,
  },
  complete: {
    v: one(1),
    time,
    files: count,
    bytes: count,
    sentBytes: count,
    resumedBytes: count,
    skippedFiles: count,
    failedFiles: count,
    deletedFiles: count,
    seconds: amount,
    root: orNull(root),
    verified: flag,
  },
  receipt: {
    v: one(1),
    time,
    file: text,
    id: (value) => /^[0-9a-f]{32}$/.test(String(value)),
    direction: one('send', 'get'),
    path: text,
    bytes: count,
    root,
    clientKey: text,
    serverKey: text,
    signedAt: time,
  },
  'server-key': { v: one(1), time, host: text, port: count, fingerprint: text, replaced: text, sequence: count },
  error: {
    v: one(1),
    time,
    code: (value) => text(value) && (value as string) in errorTable,
    message: text,
    hint: orNull(text),
    file: orNull(text),
  },
  entry: {
    v: one(1),
    time,
    path: text,
    size: count,
    kind: one('file', 'directory', 'symlink', 'other'),
    mtime: time,
    mode: (value) => /^[0-7]{4}$/.test(String(value)),
  },
  result: { v: one(1), time, verb: text, result: object },
};

/** What is wrong with an output, '' when nothing is. */
function faults(output: string): string {
  const wrong: string[] = [];
  for (const event of events(output)) {
    const checks: Record<string, Check> = SCHEMA[event.type];
    if (Object.keys(event)[0] !== 'v') wrong.push(`v is not first: ${JSON.stringify(event)}`);
    const names = Object.keys(event).filter((name) => name !== 'type');
    if (names.toSorted().join() !== Object.keys(checks).toSorted().join())
      wrong.push(`fields of ${JSON.stringify(event)}`);
    for (const [name, check] of Object.entries(checks)) {
      if (!check((event as unknown as Record<string, unknown>)[name]))
        wrong.push(`${name} of ${JSON.stringify(event)}`);
    }
  }
  return wrong.join('\n');
}

const types = (output: string): string[] => events(output).map((event) => event.type);

test('what --json really writes is what the types say', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const peer = `127.0.0.1:${server.port}`;
  box.write('a', 'A'.repeat(100_000));
  mkdirSync(box.path('out'));
  const runs: [string[], number, string[] | null][] = [
    [['send', 'a', '127.0.0.1:a'], 0, null],
    [['send', '-', '127.0.0.1:b'], 0, null],
    [['send', 'a', '127.0.0.1:a', '--receipt', 'r'], 0, null],
    [['receipt', 'verify', 'r', '--file', 'a'], 0, ['result']],
    [['send', '-n', 'a', '127.0.0.1:a'], 0, ['start', 'file', 'complete']],
    [['send', 'a', 'missing', '127.0.0.1:./'], 10, null],
    [['get', '127.0.0.1:a', '127.0.0.1:b', 'out'], 0, null],
    [['get', '127.0.0.1:missing', 'out'], 6, ['start', 'error']],
    [['ls', '127.0.0.1:'], 0, ['entry', 'entry']],
    [['stat', '127.0.0.1:a', '127.0.0.1:x'], 10, ['entry', 'error', 'error']],
    [['commands', '127.0.0.1'], 0, ['result']],
    [['call', '127.0.0.1', 'HLIST'], 0, ['result']],
    [['call', '127.0.0.1', 'FROB'], 2, ['error']],
    [['mkdir', '127.0.0.1:d', '127.0.0.1:a'], 10, ['result', 'error', 'error']],
    [['cp', '127.0.0.1:a', '127.0.0.1:d/'], 0, ['result']],
    [['cp', '127.0.0.1:d', '127.0.0.1:e'], 1, ['error']],
    [['cp', '-r', '127.0.0.1:d', '127.0.0.1:e'], 0, ['result']],
    [['mv', '127.0.0.1:e', '127.0.0.1:x', '127.0.0.1:d'], 10, ['result', 'error', 'error']],
    [['hash', '127.0.0.1:a', 'a', '127.0.0.1:x'], 10, ['result', 'result', 'error', 'error']],
    [['df', '127.0.0.1', '127.0.0.1:a'], 0, ['result', 'result']],
    [['rm', '127.0.0.1:b', '127.0.0.1:x'], 10, ['result', 'error', 'error']],
    [['trust', peer, server.fingerprint], 0, ['result']],
    [['fingerprint'], 0, ['result']],
    [['keygen', 'k'], 0, ['result']],
    [['keygen', 'k'], 7, ['error']],
    [['authorize', 'k.pub', '--authorized', 'list'], 0, ['result']],
    [['revoke', 'k.pub', '--authorized', 'list'], 0, ['result']],
    [['frob'], 2, ['error']],
  ];
  for (const [words, code, expected] of runs) {
    const at = ['trust', 'frob'].includes(words[0] ?? '') ? [] : server.at;
    const run = await box.run([...words, ...at, '--json'], { input: 'hello' });
    t.is(run.code, code, `${words.join(' ')}\n${run.stdout}${run.stderr}`);
    t.is(faults(run.stdout), '', words.join(' '));
    if (expected !== null) t.deepEqual(types(run.stdout), expected, words.join(' '));
    t.is(run.stderr, '', words.join(' '));
  }
  await server.stop();
});

test('a transfer starts, makes progress, tells its file and completes', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  box.write('a', Buffer.alloc(5_000_000, 'x'));
  const run = await box.run(['send', 'a', '127.0.0.1:a', '--json', ...server.at]);
  const all = events(run.stdout);
  t.is(all[0]?.type, 'start');
  const progress = all.filter((event) => event.type === 'progress');
  t.true(progress.length >= 1);
  t.is(progress.at(-1)?.transferred, 5_000_000);
  t.is(progress.at(-1)?.phase, 'done');
  const complete = all.at(-1);
  const file = all.at(-2);
  if (complete?.type !== 'complete' || file?.type !== 'file') {
    t.fail(run.stdout);
    return;
  }
  t.like(complete, {
    files: 1,
    bytes: 5_000_000,
    sentBytes: 5_000_000,
    resumedBytes: 0,
    verified: true,
    root: file.root,
  });
  t.like(file, { source: 'a', target: '127.0.0.1:a', action: 'moved', bytes: 5_000_000, verified: true });
  await server.stop();
});

test('--progress json without --json goes to standard error; -q silences lines but not errors', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  box.write('a', Buffer.alloc(1_000_000));
  const run = await box.run(['send', 'a', '127.0.0.1:a', '-q', '--progress', 'json', ...server.at]);
  t.is(run.stdout, '');
  t.is(faults(run.stderr), '');
  t.true(types(run.stderr).includes('progress'));
  const quiet = await box.run(['send', 'a', '127.0.0.1:a', '-q', ...server.at]);
  t.is(quiet.stderr, '');
  t.regex((await box.run(['send', 'b', '127.0.0.1:a', '-q', ...server.at])).stderr, /error\[/);
  await server.stop();
});

test('docs/CLI.md names every type and every field', (t) => {
  const page = readFileSync(new URL('../../docs/CLI.md', import.meta.url), 'utf8');
  for (const [type, checks] of Object.entries(SCHEMA)) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${type}\` |`));
    t.truthy(row, type);
    for (const field of Object.keys(checks)) {
      if (field !== 'v' && field !== 'time') t.true(row?.includes(`\`${field}\``), `${type}.${field}`);
    }
  }
});

test('docs/CLI.md lists every exit code of the error table', (t) => {
  const page = readFileSync(new URL('../../docs/CLI.md', import.meta.url), 'utf8');
  for (const [code, { exitCode }] of Object.entries(errorTable)) {
    t.true(page.includes(`\n| ${exitCode} | `), `${code}: ${exitCode}`);
  }
});

test('characters that a terminal acts on are escaped, and the value is the same', (t) => {
  let written = '';
  const stdout = {
    write(chunk: string): boolean {
      written += chunk;
      return true;
    },
  };
  const message = 'a\u007f\u0080\u009b31m\u202etxt\u2066\u200f\u061cé\udcff\\u0080';
  new Output({ json: true, stdout }).event({ type: 'error', code: 'E2EEFTP_IO', message, hint: null, file: null });
  t.notRegex(written, /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
  t.true(written.includes(String.raw`\u009b31m\u202etxt`));
  t.is((JSON.parse(written) as { message: string }).message, message);
});
