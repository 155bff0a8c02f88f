#!/usr/bin/env node
/**
 * `npm run bench`: measures the product beside its peers and writes `bench/RESULTS.md`.
 *
 * The first process builds, makes the scratch folders and starts this file again inside namespaces
 * of its own; that second process measures. See `README.md` in this folder.
 */
import { buildAll } from './lib/build.mjs';
import { measure } from './lib/measure.mjs';
import { runInside, isInside } from './lib/namespace.mjs';
import { helpText, parseOptions } from './lib/options.mjs';

let options;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error.message}\n\n${helpText}`);
  process.exit(2);
}
if (options.help) {
  process.stdout.write(helpText);
} else if (isInside()) {
  process.exitCode = await measure(options);
} else {
  try {
    if (options.build) await buildAll();
    process.exitCode = await runInside(process.argv.slice(1), options);
  } catch (error) {
    process.stderr.write(`bench: ${error.message}\n`);
    process.exitCode = 1;
  }
}
