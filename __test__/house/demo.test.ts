import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import test from 'ava';

import { root } from './project-files.js';

const run = promisify(execFile);
const DEMO = join(root, 'scripts/demo.mjs');

test('npm run demo sends a made file, gets it back and leaves nothing', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'e2eeftp-test-'));
  t.teardown(async () => rm(folder, { recursive: true }));
  const { stdout } = await demo(folder, ['--size', '3']);
  t.regex(stdout, /sent +3145728 bytes in \d+\.\d\d s .*verified/);
  t.regex(stdout, /received +3145728 bytes/);
  t.regex(stdout, /^BLAKE3 +[0-9a-f]{64} /m);
  t.regex(stdout, /^SHA-256 +[0-9a-f]{64} .*they match$/m);
  t.deepEqual(await readdir(folder), []);
  const port = /^server +127\.0\.0\.1:(\d+) /m.exec(stdout)?.[1];
  await t.throwsAsync(fetch(`http://127.0.0.1:${port}/`), undefined, 'the server is gone');
});

test('npm run demo takes a file with an awkward name and only reads it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'e2eeftp-test-'));
  t.teardown(async () => rm(folder, { recursive: true }));
  const file = join(folder, 'a file: 50 % "off".txt');
  await writeFile(file, 'content', { mode: 0o444 });
  const { stdout } = await demo(folder, [file]);
  t.regex(stdout, /sent +7 bytes/);
  t.deepEqual(await readdir(folder), ['a file: 50 % "off".txt']);
});

test('npm run demo refuses what is not a file', async (t) => {
  const error = await t.throwsAsync<Error & { code: number; stderr: string }>(demo(tmpdir(), [tmpdir()]));
  t.is(error.code, 1);
  t.regex(error.stderr, /is not a file/);
});

/** Runs the demo with `folder` as the place for temporary files. */
async function demo(folder: string, args: readonly string[]) {
  return run(process.execPath, [DEMO, '--no-build', ...args], {
    cwd: root,
    env: { ...process.env, TMPDIR: folder },
    timeout: 60_000,
  });
}
