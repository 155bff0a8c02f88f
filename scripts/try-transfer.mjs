// One transfer each way by the built command line, on whatever system this is: `node scripts/try-transfer.mjs`.
//
// Node's own modules only. `E2EEFTP_TRY` may hold the words that start the command line, as JSON.

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { root, SetupError } from './lib/project.mjs';
import { runMain } from './lib/run.mjs';

const WORDS = JSON.parse(process.env.E2EEFTP_TRY ?? 'null') ?? [process.execPath, join(root, 'dist/cli/main.js')];
/** Longer than one buffer, and no multiple of anything. */
const LENGTH = 5_000_011;
const [program, ...first] = WORDS;

await runMain(async () => {
  const place = mkdtempSync(join(tmpdir(), 'e2eeftp-try-'));
  const env = { ...process.env, APPDATA: place, XDG_CONFIG_HOME: place, XDG_DATA_HOME: place, NO_COLOR: '1' };
  /** @param {string[]} words */
  const call = (...words) => {
    const { status, stdout, stderr } = spawnSync(program, [...first, ...words], { cwd: place, env, encoding: 'utf8' });
    if (status !== 0) throw new SetupError(`e2eeftp ${words[0]} ended with ${status}:\n${stderr}`);
    return stdout;
  };
  const line = call('keygen', 'client.key', '--no-passphrase').trim();
  call('authorize', line, '--data', 'data');
  const served = ['serve', '--data', 'data', '--listen', '127.0.0.1:0', '--port-file', 'port.json'];
  const server = spawn(program, [...first, ...served], { cwd: place, env, stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    const { fingerprint, port } = await ready(join(place, 'port.json'), server);
    const at = ['-P', String(port), '--server-key', fingerprint, '-i', 'client.key'];
    const content = randomBytes(LENGTH);
    writeFileSync(join(place, 'up.bin'), 'to be replaced');
    call('send', 'up.bin', '127.0.0.1:/up.bin', ...at);
    writeFileSync(join(place, 'up.bin'), content);
    call('send', 'up.bin', '127.0.0.1:/up.bin', ...at);
    call('mv', '127.0.0.1:/up.bin', '127.0.0.1:/moved.bin', ...at);
    call('get', '127.0.0.1:/moved.bin', 'down.bin', ...at);
    if (!readFileSync(join(place, 'down.bin')).equals(content)) throw new SetupError('the file came back changed');
    if (!call('ls', '127.0.0.1:/', ...at).includes('moved.bin')) throw new SetupError('the file is not listed');
    call('rm', '127.0.0.1:/moved.bin', ...at);
    process.stdout.write(`${LENGTH} bytes sent, replaced, moved, fetched, listed and removed\n`);
  } finally {
    server.kill();
    await new Promise((resolve) => void server.once('close', resolve));
    rmSync(place, { recursive: true, force: true, maxRetries: 5 });
  }
  return 0;
});

/**
 * @param {string} file that the server writes when it listens
 * @param {import('node:child_process').ChildProcess} server
 * @returns {Promise<{ fingerprint: string, port: number }>}
 */
async function ready(file, server) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (existsSync(file)) {
      const { fingerprint, e2eeftp } = JSON.parse(readFileSync(file, 'utf8'));
      return { fingerprint, port: e2eeftp[0].port };
    }
    if (server.exitCode !== null) break;
    await delay(100);
  }
  throw new SetupError('the server did not start');
}
