/** Brings all that is measured up to date. Runs outside the namespace: it may need the network. */
import { runOrThrow } from '../../scripts/lib/run.mjs';
import { setUp, step } from '../../scripts/lib/setup.mjs';

/** Programs of the bench itself, a workspace of their own. */
const NATIVE = [
  'build',
  '--release',
  '--locked',
  '--manifest-path',
  'bench/native/Cargo.toml',
  '--target-dir',
  'bench/native/target',
];
const EXAMPLES = ['build', '--release', '--locked', '--examples', '-p', 'e2eeftp-net'];

/** @throws {Error} when a step fails */
export async function buildNativePrograms() {
  step('Building the programs of bench/native (release)');
  await runOrThrow('build the programs of the bench', 'cargo', NATIVE);
}

/** @throws {Error} when a step fails */
export async function buildAll() {
  await setUp();
  await buildNativePrograms();
  step('Building the example programs of crates/net (release)');
  await runOrThrow('build the example programs', 'cargo', EXAMPLES);
}
