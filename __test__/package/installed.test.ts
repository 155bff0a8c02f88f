import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import test from 'ava';

import { Sandbox } from '../cli/run.js';
import { installOffline, nodeBinary, type Packed, packPackages } from './pack.js';

const run = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), 'e2eeftp-package-'));
const installed = join(directory, 'installed');
const mainPath = (place: string): string => join(place, 'node_modules/e2eeftp/dist/cli/main.js');
let packed: Packed;

test.before(async (t) => {
  // Fetches Node.js and the dependencies the first time.
  t.timeout(600_000);
  packed = await packPackages(directory);
  await installOffline(installed, [packed.main, packed.platform]);
});
test.after.always(() => rmSync(directory, { recursive: true, force: true }));

test('the packages of a release run no script when they are installed', (t) => {
  for (const name of ['e2eeftp', `e2eeftp-${packed.name}`]) {
    const manifest = JSON.parse(readFileSync(join(installed, 'node_modules', name, 'package.json'), 'utf8')) as {
      scripts?: Record<string, string>;
      engines: { node: string };
    };
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
      t.is(manifest.scripts?.[script], undefined, `${name}: ${script}`);
    }
  }
});

test('a platform package holds its binary, and is installed wherever the main one is', (t) => {
  const place = join(installed, 'node_modules', `e2eeftp-${packed.name}`);
  t.true(readdirSync(place).includes(`e2eeftp.${packed.name}.node`));
  const read = (path: string): { engines: { node: string }; version: string } =>
    JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as { engines: { node: string }; version: string };
  const main = read(join(installed, 'node_modules/e2eeftp'));
  t.is(read(place).version, main.version);
  t.is(read(place).engines.node, main.engines.node);
});

for (const major of ['this', 20, 22, 24] as const) {
  const name = major === 'this' ? 'this Node.js' : `Node.js ${major}`;
  test.serial(`installed under ${name}: import, require and a transfer`, async (t) => {
    t.timeout(600_000);
    const node = major === 'this' ? process.execPath : await nodeBinary(major);
    if (major !== 'this') t.regex((await run(node, ['--version'])).stdout, new RegExp(`^v${major}\\.`));
    const program =
      "console.log(typeof e.createServer, typeof e.connect, new e.E2eeftpError('E2EEFTP_IO', '').exitCode)";
    const esm = ['--input-type=module', '-e', `import * as e from 'e2eeftp'; ${program}`];
    const cjs = ['--input-type=commonjs', '-e', `const e = require('e2eeftp'); ${program}`];
    for (const words of [esm, cjs]) {
      const { stdout, stderr } = await run(node, words, { cwd: installed });
      t.deepEqual({ stdout, stderr }, { stdout: 'function function 1\n', stderr: '' }, words[0]);
    }

    const sandbox = new Sandbox([node, mainPath(installed)]);
    t.teardown(() => sandbox.dispose());
    const server = await sandbox.ready();
    const content = Buffer.alloc(3_000_001, name);
    sandbox.write('up.bin', content);
    const sent = await sandbox.run(['send', 'up.bin', '127.0.0.1:/up.bin', ...server.at]);
    t.is(sent.code, 0, sent.stderr);
    t.true(sandbox.bytes('files/up.bin').equals(content));
    const got = await sandbox.run(['get', '127.0.0.1:/up.bin', 'down.bin', ...server.at]);
    t.is(got.code, 0, got.stderr);
    t.true(sandbox.bytes('down.bin').equals(content));
    t.is((await server.stop()).code, 0);
  });
}

test('without the package of the platform the user is told so, with the next step', async (t) => {
  const place = join(directory, 'no-binary');
  await installOffline(place, [packed.main]);
  const sandbox = new Sandbox([process.execPath, mainPath(place)]);
  t.teardown(() => sandbox.dispose());
  t.is((await sandbox.run(['--version'])).code, 0);
  const text = await sandbox.run(['keygen']);
  t.is(text.code, 12);
  t.is(text.stdout, '');
  t.regex(
    text.stderr,
    new RegExp(`^error\\[E2EEFTP_NO_BINARY\\]: the package e2eeftp-${packed.name} is not installed\n`),
  );
  t.regex(text.stderr, new RegExp(`\n  → .*--omit=optional.*npm install e2eeftp-${packed.name}@`));
  const { code, stdout } = await sandbox.run(['keygen', '--json']);
  t.is(code, 12);
  t.like(JSON.parse(stdout), { type: 'error', code: 'E2EEFTP_NO_BINARY' });
  await t.throwsAsync(run(process.execPath, ['-e', "require('e2eeftp')"], { cwd: place }), {
    message: /E2eeftpError: the package e2eeftp-\S+ is not installed/,
  });
});

test('a binary that does not load is named, with what the system says about it', async (t) => {
  const place = join(directory, 'garbage');
  await installOffline(place, [packed.main, packed.platform]);
  const binary = join(place, 'node_modules', `e2eeftp-${packed.name}`, `e2eeftp.${packed.name}.node`);
  // An ELF file for another machine: e_machine of the header is changed.
  const content = readFileSync(binary);
  content.writeUInt16LE(0x15, 18);
  rmSync(binary);
  writeFileSync(binary, content);
  const sandbox = new Sandbox([process.execPath, mainPath(place)]);
  t.teardown(() => sandbox.dispose());
  const { code, stderr } = await sandbox.run(['keygen']);
  t.is(code, 12);
  t.regex(
    stderr,
    /^error\[E2EEFTP_NO_BINARY\]: the native part for \S+ cannot be loaded: .*\.node: .*\n {2}→ install e2eeftp again/,
  );
});
