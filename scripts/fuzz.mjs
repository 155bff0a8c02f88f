// `npm run fuzz`: every fuzz target for its share of the time. fuzz/README.md lists the targets.
//
//   npm run fuzz                          60 seconds for all targets together, after the build
//   npm run fuzz -- --seconds N           N seconds for all targets together
//   npm run fuzz -- --long                an hour for all targets together
//   npm run fuzz -- --only NAME[,NAME]    only these targets
//   npm run fuzz -- --minimize            merges what was found into the committed corpora
//
// New inputs are kept in .build/fuzz-corpus/, so that each run goes on from the last one. An input
// that fails is left in fuzz/artifacts/TARGET/.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { CARGO_TOOLS, cargoTool, requireNightly } from './lib/cargo-tools.mjs';
import { requireToolchain, root, SetupError } from './lib/project.mjs';
import { run, runMain, runOrThrow } from './lib/run.mjs';
import { step } from './lib/setup.mjs';

const FUZZ = join(root, 'fuzz');
const CORPUS = join(FUZZ, 'corpus');
const WORK = join(root, '.build', 'fuzz-corpus');
const TRIPLE = 'x86_64-unknown-linux-gnu';
/** No target needs a longer input: a record is at most 260 KiB, and the rest are short. */
const MAX_LEN = 8192;

await runMain(async () => {
  const { seconds, only, minimize } = parseArguments(process.argv.slice(2));
  requireToolchain();
  requireNightly('fuzzing');
  const cargoFuzz = await cargoTool(CARGO_TOOLS.cargoFuzz);
  const targets = listTargets().filter((name) => only.length === 0 || only.includes(name));
  const unknown = only.find((name) => !targets.includes(name));
  if (unknown !== undefined) throw new SetupError(`No fuzz target is called ${unknown}.`);

  step(`Building ${targets.length} fuzz targets`);
  await runOrThrow('build the fuzz targets', 'cargo', ['+nightly', 'fuzz', 'build', '-O', '--fuzz-dir', FUZZ], {
    quiet: true,
    env: { PATH: `${dirname(cargoFuzz)}:${process.env.PATH}`, CARGO_TARGET_DIR: join(FUZZ, 'target') },
  });
  if (minimize) {
    for (const target of targets) await minimizeCorpus(target);
    return 0;
  }
  step(`Fuzzing for ${seconds} seconds`);
  let passed = 0;
  for (const target of targets) passed += Number(await fuzz(target, Math.max(1, Math.floor(seconds / targets.length))));
  process.stdout.write(`${passed} passed, ${targets.length - passed} failed\n`);
  return passed === targets.length ? 0 : 1;
});

/**
 * @param {string} target
 * @param {number} seconds
 * @returns {Promise<boolean>} whether it ran and found nothing
 */
async function fuzz(target, seconds) {
  const artifacts = join(FUZZ, 'artifacts', target);
  const work = join(WORK, target);
  for (const folder of [artifacts, work]) mkdirSync(folder, { recursive: true });
  const { status, output } = await run(
    programOf(target),
    [
      `-max_total_time=${seconds}`,
      `-max_len=${MAX_LEN}`,
      '-timeout=20',
      '-rss_limit_mb=2048',
      '-print_final_stats=1',
      `-artifact_prefix=${artifacts}/`,
      work,
      ...seedsOf(target),
    ],
    { quiet: true },
  );
  const runs = Number(/^stat::number_of_executed_units: +(\d+)/m.exec(output)?.[1] ?? 0);
  const edges = [...output.matchAll(/ cov: (\d+) /g)].at(-1)?.[1] ?? '0';
  const isGood = status === 0 && runs > 0;
  process.stdout.write(`${isGood ? '✓' : '✗'} ${target}: ${runs} runs, ${edges} edges\n`);
  if (!isGood) process.stderr.write(`${output.split('\n').slice(-60).join('\n')}\n`);
  return isGood;
}

/**
 * Keeps of the committed and the new inputs the smallest ones that reach everything.
 *
 * @param {string} target
 */
async function minimizeCorpus(target) {
  const merged = join(root, '.build', 'fuzz-merged', target);
  rmSync(merged, { recursive: true, force: true });
  mkdirSync(merged, { recursive: true });
  const found = existsSync(join(WORK, target)) ? [join(WORK, target)] : [];
  const args = ['-merge=1', `-max_len=${MAX_LEN}`, merged, ...seedsOf(target), ...found];
  await runOrThrow(`minimise the corpus of ${target}`, programOf(target), args, { quiet: true });
  const committed = join(CORPUS, target);
  const seeds = existsSync(committed) ? readdirSync(committed).filter((name) => /^(seed|found)-/.test(name)) : [];
  for (const name of seeds) cpSync(join(committed, name), join(merged, name));
  rmSync(committed, { recursive: true, force: true });
  mkdirSync(CORPUS, { recursive: true });
  renameSync(merged, committed);
  process.stdout.write(`${target}: ${readdirSync(committed).length} inputs\n`);
}

/** @param {string} target */
function seedsOf(target) {
  const folder = join(CORPUS, target);
  return existsSync(folder) ? [folder] : [];
}

/** @param {string} target */
function programOf(target) {
  return join(FUZZ, 'target', TRIPLE, 'release', target);
}

/** The names in fuzz/Cargo.toml, where a new target gets its line. */
function listTargets() {
  const manifest = readFileSync(join(FUZZ, 'Cargo.toml'), 'utf8');
  return [...manifest.matchAll(/^ {2}\{ name = "(\w+)"/gm)].map((match) => match[1]);
}

/** @param {string[]} args */
function parseArguments(args) {
  const usage = 'Usage: npm run fuzz -- [--seconds N | --long] [--only NAME,NAME] [--minimize]';
  let seconds = 60;
  let minimize = false;
  /** @type {string[]} */
  let only = [];
  for (let index = 0; index < args.length; index += 1) {
    if (args[index] === '--long') seconds = 3600;
    else if (args[index] === '--minimize') minimize = true;
    else if (args[index] === '--seconds') seconds = Number(args[(index += 1)]);
    else if (args[index] === '--only') only = (args[(index += 1)] ?? '').split(',');
    else throw new SetupError(usage);
  }
  if (!Number.isSafeInteger(seconds) || seconds < 1) throw new SetupError(usage);
  return { seconds, only, minimize };
}
