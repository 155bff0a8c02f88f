// `npm run models`: runs every model in models/ through Verifpal and compares each verdict with
// the one that is written beside the query. models/README.md says what the models are.
//
//   npm run models                        the variants that take seconds: what CI runs
//   npm run models -- --long              all variants
//   npm run models -- --only NAME[,NAME]  only these variants
//   npm run models -- --show NAME         what Verifpal says about one variant, attacks included
//
// The first run builds Verifpal into .build/, which needs a nightly compiler and takes minutes.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { CARGO_TOOLS, cargoTool } from './lib/cargo-tools.mjs';
import { instancesOf } from './lib/models.mjs';
import { requireToolchain, root, SetupError } from './lib/project.mjs';
import { run, runMain } from './lib/run.mjs';
import { step } from './lib/setup.mjs';

const MODELS = join(root, 'models');
const WORK = join(root, '.build', 'models');

await runMain(async () => {
  const { long, only, show } = parseArguments(process.argv.slice(2));
  requireToolchain();
  const verifpal = await cargoTool(CARGO_TOOLS.verifpal);
  const all = readdirSync(MODELS)
    .filter((name) => name.endsWith('.vp'))
    .toSorted()
    .flatMap((file) => {
      const model = file.replace(/\.vp$/, '');
      return instancesOf(readFileSync(join(MODELS, file), 'utf8'), `models/${file}`).map((instance) => {
        const { name } = instance.variant;
        return { ...instance, id: `${model}/${name}`, path: join(WORK, `${model}-${name}.vp`) };
      });
    });
  const named = [...only, ...(show === undefined ? [] : [show])];
  const unknown = named.find((name) => !all.some(({ id }) => id === name));
  if (unknown !== undefined)
    throw new SetupError(`No variant is called ${unknown}: ${all.map(({ id }) => id).join(', ')}`);
  const chosen = all.filter(({ id, variant }) => (named.length > 0 ? named.includes(id) : long || !variant.isLong));

  mkdirSync(WORK, { recursive: true });
  step(`${chosen.length} variants of the models`);
  let passed = 0;
  let failed = 0;
  for (const instance of chosen) {
    writeFileSync(instance.path, instance.text);
    const result = await verify(verifpal, instance, show !== undefined);
    passed += result.passed;
    failed += result.failed;
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
});

/**
 * Runs one variant. Each query is a check.
 *
 * @param {string} verifpal
 * @param {import('./lib/models.mjs').Instance & {id: string, path: string}} instance
 * @param {boolean} isShown whether Verifpal's own words are printed
 * @returns {Promise<{passed: number, failed: number}>}
 */
async function verify(verifpal, { id, path, variant, queries }, isShown) {
  const started = Date.now();
  const args = ['verify', path, '--sessions', String(variant.sessions), '--result-code', '--color', 'never'];
  const { status, output } = await run(verifpal, isShown ? args : [...args, '--quiet'], { quiet: true });
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  if (isShown) process.stdout.write(output);
  const code = output.trimEnd().split('\n').at(-1) ?? '';
  const verdicts = /^([cafue][01])+$/.test(code) ? [...code.matchAll(/[cafue]([01])/g)].map((match) => match[1]) : [];
  if (status !== 0 || verdicts.length !== queries.length) {
    process.stderr.write(output);
    process.stdout.write(
      `✗ ${id}: Verifpal ended with ${status} and gave ${verdicts.length} verdicts for ${queries.length} queries\n`,
    );
    return { passed: 0, failed: queries.length };
  }
  const wrong = queries.flatMap(({ query, expected }, index) => {
    const found = verdicts[index] === '0' ? 'holds' : 'attack';
    return found === expected ? [] : [`    ${query}: expected ${expected}, Verifpal says ${found}\n`];
  });
  process.stdout.write(
    `${wrong.length === 0 ? '✓' : '✗'} ${id}: ${queries.length} queries, ${seconds} s (${variant.description})\n${wrong.join('')}`,
  );
  return { passed: queries.length - wrong.length, failed: wrong.length };
}

/** @param {string[]} args */
function parseArguments(args) {
  const usage = 'Usage: npm run models -- [--long | --only NAME,NAME | --show NAME]';
  let long = false;
  /** @type {string[]} */
  let only = [];
  /** @type {string | undefined} */
  let show;
  for (let index = 0; index < args.length; index += 1) {
    if (args[index] === '--long') long = true;
    else if (args[index] === '--only') only = (args[(index += 1)] ?? '').split(',');
    else if (args[index] === '--show') show = args[(index += 1)] ?? '';
    else throw new SetupError(usage);
  }
  return { long, only, show };
}
