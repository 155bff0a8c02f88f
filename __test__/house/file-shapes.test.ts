import test from 'ava';

import { projectFiles, readProjectFile } from './project-files.js';

/** Lines of the longest file that is still one idea. */
const MAX_RUST_LINES = 800;
const MAX_TYPESCRIPT_LINES = 400;

test('source files are one idea long', (t) => {
  const rust = projectFiles('crates', '.rs').filter((path) => !/\/tests\//.test(path));
  const typescript = [...projectFiles('src', '.ts'), ...projectFiles('scripts', '.mjs')];
  t.true(rust.length > 10 && typescript.length > 10);
  t.deepEqual(longer(rust, MAX_RUST_LINES), []);
  t.deepEqual(longer(typescript, MAX_TYPESCRIPT_LINES), []);
});

test('files are named by their concept', (t) => {
  const names = [...projectFiles('src'), ...projectFiles('crates'), ...projectFiles('__test__')];
  t.deepEqual(
    names.filter((path) => /\/(utils?|helpers?|misc|common)\.[a-z]+$/.test(path)),
    [],
  );
  const typescript = names.filter((path) => path.endsWith('.ts'));
  t.deepEqual(
    typescript.filter((path) => !/\/[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/.test(path)),
    [],
    'kebab-case',
  );
});

test('no file names a path of the machine it was written on', (t) => {
  // Letters in brackets, so that this file does not find itself.
  const machinePath = /(?<![\w.-])\/(hom[e]\/[a-z]|User[s]\/[A-Za-z]|wor[k]\/|roo[t]\/|tmp\/targe[t]-)/;
  t.deepEqual(
    projectFiles('').filter((path) => {
      const text = readProjectFile(path);
      return !text.includes('\0') && machinePath.test(text);
    }),
    [],
  );
});

test('text files end with one newline and use no tabs or carriage returns', (t) => {
  const text = projectFiles('').filter((path) => /\.(rs|ts|mjs|js|json|toml|md|yml|sh)$/.test(path));
  t.deepEqual(
    text.filter((path) => !/[^\n]\n$/.test(readProjectFile(path))),
    [],
  );
  t.deepEqual(
    text.filter((path) => /\r/.test(readProjectFile(path))),
    [],
  );
  t.deepEqual(
    text.filter((path) => !/LICENSE/.test(path) && /^\t/m.test(readProjectFile(path))),
    [],
  );
});

function longer(paths: readonly string[], limit: number): string[] {
  return paths.filter((path) => readProjectFile(path).split('\n').length - 1 > limit);
}
