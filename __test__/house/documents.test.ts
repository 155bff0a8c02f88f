import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import test from 'ava';

import { projectFiles, readProjectFile, root } from './project-files.js';

const documents = projectFiles('', '.md');

test('links between documents lead somewhere', (t) => {
  t.true(documents.includes('README.md') && documents.includes('docs/THREATS.md'));
  const broken = documents.flatMap((path) =>
    [...proseOf(path).matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(path, target))
      .map((target) => `${path} → ${target}`),
  );
  t.deepEqual(broken, []);
});

test('documents name scripts of package.json that exist', (t) => {
  const { scripts } = JSON.parse(readProjectFile('package.json')) as {
    scripts: Record<string, string>;
  };
  const named = documents.flatMap((path) =>
    [...readProjectFile(path).matchAll(/\bnpm run ([a-z][a-z0-9:-]*)/g)].map((match) => match[1]),
  );
  t.true(named.includes('demo'));
  t.deepEqual(
    named.filter((name) => name === undefined || !(name in scripts)),
    [],
  );
});

test('every test that THREATS.md refers to exists', (t) => {
  const text = readProjectFile('docs/THREATS.md');
  const references = [...text.matchAll(/`([\w./-]+\.(?:rs|ts))::([^`]+)`/g)];
  t.true(references.length > 20);
  const missing = references.filter(([, path = '', name = '']) => {
    if (!existsSync(join(root, path))) return true;
    const source = readProjectFile(path);
    if (path.endsWith('.rs'))
      return !new RegExp(String.raw`#\[(tokio::)?test[^\]]*\]\s+(async )?fn ${name}\(`).test(source);
    return !source.split('\n').some((line) => /\btest(\.serial)?\(/.test(line) && line.includes(name));
  });
  t.deepEqual(
    missing.map(([reference]) => reference),
    [],
  );
});

test('every claim about the connection names its vectors, which exist', (t) => {
  const rows = readProjectFile('docs/THREATS.md')
    .split('\n')
    .filter((line) => /^\| C\d+ \|/.test(line))
    .map((line) => line.split(' | '));
  t.true(rows.length >= 16);
  for (const row of rows) {
    t.is(row.length, 6, row[0]);
    const vectors = row.at(-1) ?? '';
    const files = [...vectors.matchAll(/`(testdata\/[\w./-]+)`/g)].map((match) => match[1] ?? '');
    t.deepEqual(
      files.filter((path) => !existsSync(join(root, path))),
      [],
    );
    // One refusal for all causes is all there is to C15.
    if (!vectors.startsWith('—')) t.regex(vectors, /`testdata\/vectors\//, row[0]);
    else t.is(row[0], '| C15');
  }
});

test('every claim of THREATS.md refers to a test', (t) => {
  const rows = readProjectFile('docs/THREATS.md')
    .split('\n')
    .filter((line) => /^\| [A-Z]\d+ \|/.test(line));
  t.true(rows.length > 15);
  t.deepEqual(
    rows.filter((row) => !row.includes('::')),
    [],
  );
});

test('every dependency has its line in ARCHITECTURE.md', (t) => {
  const text = readProjectFile('docs/ARCHITECTURE.md');
  const cargo = readProjectFile('Cargo.toml').split('[workspace.dependencies]')[1] ?? '';
  const crates = [...(cargo.split('\n[')[0] ?? '').matchAll(/^([a-z0-9_-]+)\s*=/gm)].map((match) => match[1] ?? '');
  const manifest = JSON.parse(readProjectFile('package.json')) as {
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  const packages = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
  t.true(crates.includes('tokio') && packages.includes('commander'));
  t.deepEqual(
    [...crates.filter((name) => !name.startsWith('e2eeftp-')), ...packages].filter(
      (name) => !text.includes(`\`${name}\``),
    ),
    [],
  );
});

/** A document without its code, where brackets mean something else. */
function proseOf(path: string): string {
  return readProjectFile(path)
    .replace(/^```.*?^```/gms, '')
    .replace(/`[^`\n]*`/g, '');
}

function leadsSomewhere(from: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? from : join(dirname(from), path);
  if (!existsSync(join(root, file))) return false;
  if (anchor === undefined || !file.endsWith('.md')) return true;
  return [...readProjectFile(file).matchAll(/^#+ (.+)$/gm)].some((match) => slug(match[1] ?? '') === anchor);
}

/** The anchor that hosting pages give a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replace(/\s/g, '-');
}
