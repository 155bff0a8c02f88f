import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import test from 'ava';

import { projectFiles, readProjectFile, root } from './project-files.js';

const run = promisify(execFile);

test('the example with hooks runs and does what it says', async (t) => {
  const { stdout, stderr } = await run(process.execPath, [join(root, 'examples/hooks.mjs')], { timeout: 30_000 });
  t.is(stderr, '');
  t.deepEqual(stdout.trimEnd().split('\n'), [
    'login: ann',
    'stored as /by/ann/notes',
    'ledger: ann /by/ann/notes 10',
    'report: Report of 1 files',
    'refused: E2EEFTP_NOT_PERMITTED Nothing is deleted during the audit',
    'gone: ann',
  ]);
});

test('the example with a subclass runs and does what it says', async (t) => {
  const { stdout, stderr } = await run(process.execPath, [join(root, 'examples/subclass.mjs')], { timeout: 30_000 });
  t.is(stderr, '');
  t.deepEqual(stdout.trimEnd().split('\n'), ['Filed under 1', 'stored as /other', '3 lines: apple fig pear']);
});

test('every program text in EXTENDING.md is part of an example that runs', (t) => {
  const examples = projectFiles('examples', '.mjs').map((path) => unindented(readProjectFile(path)));
  const blocks = [...readProjectFile('docs/EXTENDING.md').matchAll(/^```js\n(.*?)^```$/gms)].map(
    ([, text = '']) => text,
  );
  t.true(blocks.length >= 5);
  t.deepEqual(
    blocks.filter((block) => !examples.some((example) => example.includes(unindented(block)))),
    [],
  );
});

/** Lines without the blanks in front: an example may be deeper inside a function. */
function unindented(text: string): string {
  return text.replace(/^ +/gm, '');
}
