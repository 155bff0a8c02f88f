import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import test from 'ava';

import { readProjectFile, root } from './project-files.js';

const run = promisify(execFile);
const CLI = join(root, 'dist/cli/main.js');

test('the program in the README runs as it stands there', async (t) => {
  const program = /^```js\n(.*?)^```$/ms.exec(readProjectFile('README.md'))?.[1] ?? '';
  t.regex(program, /from 'e2eeftp'/);
  const folder = await mkdtemp(join(tmpdir(), 'e2eeftp-test-'));
  // Inside the checkout, where the name of the package leads to dist/.
  const script = join(root, '.build', `readme-${process.pid}.mjs`);
  t.teardown(async () => Promise.all([rm(folder, { recursive: true }), rm(script, { force: true })]));
  await mkdir(join(root, '.build'), { recursive: true });
  await writeFile(script, program);
  await mkdir(join(folder, 'inbox'));
  await writeFile(join(folder, 'big.iso'), 'not so big');
  const node = async (...args: readonly string[]) => command(folder, args);
  await node(CLI, 'keygen', 'client_id.key', '--no-passphrase');
  await node(CLI, 'authorize', 'client_id.pub', '--authorized', 'authorized_clients.pub');

  const { stdout } = await node(script);
  t.regex(stdout, /^10 [0-9a-f]{64}$/m, 'bytes and root');
  t.regex(stdout, /^\/iso\/big\.iso 10$/m, 'the listing');
  t.regex(stdout, /^pong$/m, 'the command');
  t.is(await readFile(join(folder, 'inbox/iso/big.iso'), 'utf8'), 'not so big');
});

async function command(cwd: string, args: readonly string[]) {
  const env = { ...process.env, HOME: cwd, XDG_CONFIG_HOME: cwd, XDG_DATA_HOME: cwd };
  return run(process.execPath, [...args], { cwd, env, timeout: 60_000 });
}
