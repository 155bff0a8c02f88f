import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import test from 'ava';

import { readProjectFile, root } from './project-files.js';

const run = promisify(execFile);

test('the package holds what its users need and nothing else', async (t) => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  const [{ files }] = JSON.parse(stdout) as [{ files: readonly { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const needed of [
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'dist/cli/main.js',
    'dist/index.d.ts',
    'dist/index.js',
    'completion/e2eeftp.bash',
    'docs/PROTOCOL.md',
    'index.d.ts',
    'index.js',
    'man/e2eeftp.1',
  ]) {
    t.true(paths.includes(needed), needed);
  }
  t.deepEqual(
    paths.filter((path) => /^(crates|target|__test__|bench|testdata|scripts)\/|\.node$|\.test\./.test(path)),
    [],
  );
});

test('the command starts with the line that makes it one', (t) => {
  t.regex(readProjectFile('src/cli/main.ts'), /^#!\/usr\/bin\/env node\n/);
});

test('Cargo and npm agree on the version', (t) => {
  const { version } = JSON.parse(readProjectFile('package.json')) as { version: string };
  t.is(/^version = "(.+)"$/m.exec(readProjectFile('Cargo.toml'))?.[1], version);
});
