// Running other programs: inherited output for people, captured output for counting.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';

import { root, SetupError } from './project.mjs';

/**
 * @typedef {object} RunOptions
 * @property {NodeJS.ProcessEnv} [env] added to the environment of this process
 * @property {(line: string) => void} [onLine] gets each line of stdout instead of the terminal
 * @property {boolean} [quiet] keeps stdout and stderr back, to be shown only on failure
 */

/**
 * @typedef {object} RunResult
 * @property {number} status exit status; 128 + n when a signal ended the program; 127 when it was not found
 * @property {string} output what a quiet program printed
 */

/**
 * Runs a program in the checkout until it ends.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<RunResult>}
 */
export function run(command, args, options = {}) {
  const { env = {}, onLine, quiet = false } = options;
  const stdout = onLine !== undefined || quiet ? 'pipe' : 'inherit';
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', stdout, quiet ? 'pipe' : 'inherit'],
    });
    let output = '';
    const lines = lineSplitter((line) => onLine?.(line));
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      lines.push(text);
      if (quiet) output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', (error) => resolve({ status: 127, output: `${command}: ${error.message}\n` }));
    child.on('close', (code, signal) => {
      lines.end();
      resolve({ status: code ?? 128 + constants.signals[signal ?? 'SIGKILL'], output });
    });
  });
}

/**
 * Runs a program and gives up when it fails.
 *
 * @param {string} what completes "could not …"
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @throws {SetupError} when the exit status is not 0
 */
export async function runOrThrow(what, command, args, options) {
  const { status, output } = await run(command, args, options);
  if (status !== 0) {
    process.stderr.write(output);
    throw new SetupError(`Could not ${what}: ${command} ${args.join(' ')} ended with ${status}.`);
  }
}

/**
 * Cuts a stream of text into lines.
 *
 * @param {(line: string) => void} onLine
 */
function lineSplitter(onLine) {
  let rest = '';
  return {
    /** @param {string} text */
    push(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    },
    end() {
      if (rest !== '') onLine(rest);
      rest = '';
    },
  };
}

/**
 * Runs `main`, prints a {@link SetupError} as one message and anything else with its trace.
 *
 * @param {() => Promise<number>} main resolves with the exit status
 */
export async function runMain(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.stderr.write(`${error instanceof SetupError ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}
