import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import test from 'ava';

import { root } from './project-files.js';

const run = promisify(execFile);
const EXAMPLE = join(root, 'examples/custom-command.mjs');

test('the example with a command of its own runs and ends by itself', async (t) => {
  const { stdout, stderr } = await run(process.execPath, [EXAMPLE, 'Grüße an drei Wörter'], { timeout: 30_000 });
  t.is(stderr, '');
  const [commands, counted] = stdout.trimEnd().split('\n');
  t.regex(commands ?? '', /^commands: .*\bCOUNT\b/);
  t.notRegex(commands ?? '', /\b(SEND|GET|DELETE)\b/, 'the key may not touch files');
  t.is(counted, 'Counted for example: 4 words, 17 letters');
});
