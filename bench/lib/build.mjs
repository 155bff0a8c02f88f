/** Brings all that is measured up to date. Runs outside the namespace: it may need the network. */
import { runOrThrow } from '../../scripts/lib/run.mjs';
import { setUp, step } from '../../scripts/lib/setup.mjs';

const EXAMPLES = ['build', '--release', '--locked', '--examples', '-p', 'e2eeftp-net'];

/** @throws {Error} when a step fails */
export async function buildAll() {
  await setUp();
  step('Building the example programs of crates/net (release)');
  await runOrThrow('build the example programs', 'cargo', EXAMPLES);
}
