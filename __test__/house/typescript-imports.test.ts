import test from 'ava';

import { CLI_SHORTCUTS, importFaults } from './import-rules.js';
import { projectFiles, readProjectFile, withoutComments } from './project-files.js';

test('imports in src/ point one way', (t) => {
  const files = projectFiles('src', '.ts');
  t.true(files.includes('src/index.ts') && files.includes('src/native.ts'));
  t.deepEqual(
    files.flatMap((path) => importFaults(path, readProjectFile(path))),
    [],
  );
});

test('the rule finds what it forbids', (t) => {
  const forbidden: [path: string, source: string][] = [
    ['src/identity/a.ts', "import { b } from '../server/b.js';"],
    ['src/identity/a.ts', "import {\n  b,\n  c,\n} from '../e2eeftp/b.js';"],
    ['src/storage/a.ts', "import '../cli/b.js';"],
    ['src/e2eeftp/a.ts', "import { b } from './client/b.js';"],
    ['src/e2eeftp/commands/send.ts', "const b = await import('../../server/b.js');"],
    ['src/e2eeftp/client/a.ts', "import { b } from '../../server/b.js';"],
    ['src/server/a.ts', "import type { b } from '../e2eeftp/client/b.js';"],
    ['src/server/a.ts', "import { b } from '../../index.js';"],
    ['src/errors.ts', "import { b } from './native.js';"],
    ['src/cli/a.ts', "import { b } from '../identity/b.js';"],
    ['src/index.ts', "export { b } from './cli/events.js';"],
    ['src/index.ts', "export type { b } from './cli/main.js';"],
    ['src/unknown/a.ts', "import { b } from '../errors.js';"],
  ];
  for (const [path, source] of forbidden) t.is(importFaults(path, source).length, 1, source);
});

test('the rule lets through what it allows', (t) => {
  const allowed: [path: string, source: string][] = [
    ['src/native.ts', "export { b } from '../index.js';\nimport { c } from './errors.js';"],
    ['src/server/a.ts', "import { b } from './b.js';\nimport { c } from '../storage/c.js';"],
    ['src/cli/verbs/a.ts', "import { b } from '../../index.js';\nimport { c } from '../c.js';"],
    ['src/index.ts', "export type { b } from './cli/events.js';"],
    ['src/identity/a.ts', "import { readFile } from 'node:fs/promises';"],
    ['src/identity/a.ts', "// import { b } from '../server/b.js';"],
  ];
  for (const [path, source] of allowed) t.deepEqual(importFaults(path, source), [], source);
});

test('what the command line takes past the export list needs nothing but Node', (t) => {
  for (const path of CLI_SHORTCUTS) t.notRegex(readProjectFile(path), /\bfrom '(?!node:)/, path);
});

test('only the command line prints or ends the process', (t) => {
  const faults = projectFiles('src', '.ts')
    .filter((path) => !path.startsWith('src/cli/'))
    .filter((path) =>
      /\bconsole\.|\bprocess\.(stdout|stderr|exit|exitCode)\b/.test(withoutComments(readProjectFile(path))),
    );
  t.deepEqual(faults, []);
});
