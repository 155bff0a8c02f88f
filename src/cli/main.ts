#!/usr/bin/env node
/** The program `e2eeftp`: runs one command line and ends with its exit code once everything written has left. */
import { argumentWords } from './argument-words.js';
import { EXIT } from './exit-code.js';
import { reportFailedStart, runCommandLine } from './program.js';

/** A reader that went away (`e2eeftp ls … | head`) is no mistake of anybody. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.brokenPipe : EXIT.other);
});
process.stderr.on('error', () => process.exit(EXIT.other));

async function run(): Promise<number> {
  try {
    return await runCommandLine(await argumentWords(process.argv), process.env);
  } catch (error) {
    return reportFailedStart(process.argv.slice(2), process.env, error);
  }
}

const exitCode = await run();
const flushed = [process.stdout, process.stderr].map(
  (stream) => new Promise((resolve) => void stream.write('', resolve)),
);
await Promise.all(flushed);
process.exit(exitCode);
