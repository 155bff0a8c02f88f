/**
 * A million names, listed recursively by the real command line from the real daemon: neither of them holds more than a
 * part of it.
 */
import { spawn } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Sandbox } from '../cli/run.js';

const DIRECTORIES = 1000;
const FILES = 999;
const LIMIT_KIB = 150 * 1024;

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Tells a process's highest resident set when it ends. */
const TELL_PEAK = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync } from 'node:fs';
  process.on('exit', () => process.stderr.write(readFileSync('/proc/self/status', 'utf8')));
`)}`;

/** The highest resident set so far, in KiB, from the text of `/proc/…/status`. */
function peakOf(status: string): number {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]);
}

/** Hard links of one file in each directory: names cost less than files. */
function makeTree(root: string): void {
  for (let directory = 0; directory < DIRECTORIES; directory += 1) {
    const path = `${root}/d${directory}`;
    mkdirSync(path);
    writeFileSync(`${path}/f0`, '');
    for (let file = 1; file < FILES; file += 1) linkSync(`${path}/f0`, `${path}/f${file}`);
  }
}

test('ls -R of a million names takes less than 150 MiB on either side', async (t) => {
  t.timeout(300_000);
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  makeTree(box.path('files'));
  const server = await box.ready();
  const client = spawn(process.execPath, [MAIN, 'ls', '-R', '--json', '127.0.0.1:', ...server.at], {
    cwd: box.dir,
    env: box.env({ NODE_OPTIONS: `--import "${TELL_PEAK}"` }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => client.kill('SIGKILL'));
  let [lines, stderr] = [0, ''];
  let first: Buffer = Buffer.alloc(0);
  let last: Buffer = first;
  client.stdout.on('data', (chunk: Buffer) => {
    if (first.length === 0) first = chunk;
    last = chunk.length < 500 ? Buffer.concat([last, chunk]) : chunk;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
  });
  client.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise((resolve) => client.on('close', resolve));
  t.is(code, 0, stderr);
  t.is(lines, DIRECTORIES * (FILES + 1));
  t.like(JSON.parse(first.toString().split('\n')[0] ?? ''), { type: 'entry', path: '/d0', kind: 'directory' });
  t.like(JSON.parse(last.toString().trimEnd().split('\n').at(-1) ?? ''), { type: 'entry', path: '/d999/f998' });

  const peaks = {
    client: peakOf(stderr),
    server: peakOf(readFileSync(`/proc/${server.run.child.pid}/status`, 'utf8')),
  };
  t.log(peaks);
  t.true(peaks.client > 10_000 && peaks.client < LIMIT_KIB, `${peaks.client} KiB in the client`);
  t.true(peaks.server > 10_000 && peaks.server < LIMIT_KIB, `${peaks.server} KiB in the server`);
  await server.stop();
});
