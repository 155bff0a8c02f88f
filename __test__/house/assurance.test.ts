import test from 'ava';

import { projectFiles, readProjectFile } from './project-files.js';

const variants = projectFiles('models', '.vp').flatMap((path) => {
  const model = path.replace(/^models\/|\.vp$/g, '');
  return [...readProjectFile(path).matchAll(/^\/\/% (\S+)/gm)].map((match) => `${model}/${match[1]}`);
});

test('every variant of a model has its line in models/README.md', (t) => {
  const rows = [...readProjectFile('models/README.md').matchAll(/^\| `(\w+\/[\w-]+)` \|/gm)].map(
    (match) => match[1] ?? '',
  );
  t.true(variants.length > 10);
  t.deepEqual(rows.toSorted(), variants.toSorted());
});

test('every model that THREATS.md refers to exists', (t) => {
  const [, section = ''] = readProjectFile('docs/THREATS.md').split('\n## What the models show\n');
  const named = [...(section.split('\n## ')[0] ?? '').matchAll(/`(\w+\/[\w-]+)`/g)].map((match) => match[1] ?? '');
  t.true(named.length > 10);
  t.deepEqual(
    named.filter((name) => !variants.includes(name)),
    [],
  );
});

test('every fuzz target is listed, described and there', (t) => {
  const listed = [...readProjectFile('fuzz/Cargo.toml').matchAll(/^ {2}\{ name = "(\w+)"/gm)].map(
    (match) => match[1] ?? '',
  );
  const files = projectFiles('fuzz/fuzz_targets', '.rs').map((path) => /(\w+)\.rs$/.exec(path)?.[1] ?? '');
  t.true(listed.length > 5);
  t.deepEqual(listed.toSorted(), files.toSorted());
  const readme = readProjectFile('fuzz/README.md');
  t.deepEqual(
    listed.filter((name) => !readme.includes(`\`${name}\``)),
    [],
  );
});
