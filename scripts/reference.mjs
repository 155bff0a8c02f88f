// Writes what is made of the tables of the command line; dist/ has to be built before.
//
//   node scripts/reference.mjs          man/e2eeftp.1: part of `npm run build:ts`, not under version control
//   node scripts/reference.mjs --docs   the generated tables in docs/CLI.md: `npm run docs`

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describedVerbs } from '../dist/cli/reference/described-verbs.js';
import { manPage } from '../dist/cli/reference/man-page.js';
import { withGeneratedParts } from '../dist/cli/reference/markdown-tables.js';
import { root } from './lib/project.mjs';

if (process.argv.includes('--docs')) {
  const page = join(root, 'docs/CLI.md');
  writeFileSync(page, withGeneratedParts(readFileSync(page, 'utf8')));
} else {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // https://reproducible-builds.org/docs/source-date-epoch/
  const epoch = process.env.SOURCE_DATE_EPOCH;
  const date = (epoch === undefined ? new Date() : new Date(Number(epoch) * 1000)).toISOString().slice(0, 10);
  mkdirSync(join(root, 'man'), { recursive: true });
  writeFileSync(join(root, 'man/e2eeftp.1'), manPage({ verbs: await describedVerbs(), version, date }));
}
