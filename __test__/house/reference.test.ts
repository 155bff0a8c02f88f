// Holds docs/CLI.md, `--help`, the manual page and the completion to the verbs and settings of the program.

import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import test from 'ava';

import { describedVerbs } from '../../dist/cli/reference/described-verbs.js';
import { EXIT_MEANINGS } from '../../dist/cli/reference/exit-meanings.js';
import { manPage } from '../../dist/cli/reference/man-page.js';
import { withGeneratedParts } from '../../dist/cli/reference/markdown-tables.js';
import { SETTINGS } from '../../dist/cli/settings/table.js';
import { errorTable } from '../../dist/index.js';
import { readProjectFile, root } from './project-files.js';

const run = promisify(execFile);
const MAIN = join(root, 'dist/cli/main.js');
const verbs = await describedVerbs();

/** The page as one line of plain text. */
const plainManual = (): string =>
  readProjectFile('man/e2eeftp.1')
    .replaceAll(/\\f[BIR]|\\&|\\:/g, '')
    .replaceAll('\\-', '-');

test('docs/CLI.md has the generated tables as they are: else npm run docs', (t) => {
  const page = readProjectFile('docs/CLI.md');
  t.is(withGeneratedParts(page), page);
});

test('docs/CLI.md names every verb, alias and option', (t) => {
  const page = readProjectFile('docs/CLI.md');
  for (const { entry, command } of verbs) {
    for (const name of [entry.name, ...(entry.alias === undefined ? [] : [entry.alias])]) {
      t.regex(page, new RegExp(`^\\| .*\`${name}[ \`]`, 'm'), name);
    }
    for (const { long, short, hidden } of command.options) {
      const forms = [`\`${long}`, ` ${long}`, `\`${short}\``];
      if (!hidden)
        t.true(
          forms.some((form) => page.includes(form)),
          `${entry.name} ${long}`,
        );
    }
  }
});

test('--help and the manual page name every verb and option, and every variable', async (t) => {
  const manual = plainManual();
  for (const { entry, command } of verbs) {
    const { stdout } = await run(process.execPath, [MAIN, entry.name, '--help']);
    t.true(manual.includes(`e2eeftp ${entry.name}`), entry.name);
    for (const { flags, long, hidden } of command.options) {
      if (hidden) continue;
      t.true(stdout.includes(flags), `--help: ${entry.name} ${flags}`);
      t.true(manual.includes(long ?? flags), `manual: ${entry.name} ${flags}`);
    }
  }
  for (const { environment, key } of SETTINGS) {
    t.true(manual.includes(environment), environment);
    t.true(manual.includes(key), key);
  }
});

test('the completion knows every verb and every option', async (t) => {
  const complete = async (...words: string[]): Promise<string[]> => {
    const { stdout, stderr } = await run(process.execPath, [MAIN, '__complete', ...words], { env: {} });
    t.is(stderr, '');
    return stdout.split('\n').map((line) => line.split('\t')[0] ?? '');
  };
  const names = await complete(':');
  for (const { entry, command } of verbs) {
    t.true(names.includes(entry.name), entry.name);
    const options = await complete(entry.name, ':-');
    for (const { long, hidden } of command.options) {
      t.is(options.includes(long ?? ''), !hidden, `${entry.name} ${long}`);
    }
  }
});

test('the manual page is made of the program as it is, and its form has nothing to complain about', async (t) => {
  const built = readProjectFile('man/e2eeftp.1');
  const date = /^\.TH E2EEFTP 1 (\S+)/m.exec(built)?.[1] ?? '';
  const { version } = JSON.parse(readProjectFile('package.json')) as { version: string };
  t.is(manPage({ verbs, version, date }), built, 'else npm run build:ts');
  const lint = spawn('mandoc', ['-Tlint', join(root, 'man/e2eeftp.1')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  lint.stdout.on('data', (text: Buffer) => (complaints += text.toString()));
  lint.stderr.on('data', (text: Buffer) => (complaints += text.toString()));
  const status = await new Promise((resolve, reject) => {
    lint.on('error', () => reject(new Error('mandoc is missing: run scripts/install-test-tools.sh')));
    lint.on('close', resolve);
  });
  t.is(complaints, '');
  t.is(status, 0);
});

test('every exit code of an error has its meaning', (t) => {
  for (const [code, { exitCode }] of Object.entries(errorTable)) t.truthy(EXIT_MEANINGS[exitCode], code);
});

test('every setting is for a verb that there is', (t) => {
  const names = new Set(verbs.map(({ entry }) => entry.name));
  for (const { verbs: of, key } of SETTINGS) {
    if (of !== 'every') for (const name of of) t.true(names.has(name), `${key}: ${name}`);
  }
  t.true(existsSync(join(root, 'completion/e2eeftp.ps1')));
});
