/** Builds the command line, runs one, and answers its exit code. Nothing else of the process is touched here. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { CliContext, Verb } from './context.js';
import { EXIT } from './exit-code.js';
import { addGlobalOptions, type GlobalOptions, globalOptionsHelp, resolveGlobalOptions } from './global-options.js';
import { colorAllowed, Output } from './output.js';
import { VERBS, verbsNamedIn } from './verbs.js';

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The errors of commander that are answers, not mistakes. */
const ANSWERS = new Set(['commander.helpDisplayed', 'commander.version', 'commander.help']);

/** How the mistakes of a command line are reported before its options are known. */
function earlyOutput(words: readonly string[], env: NodeJS.ProcessEnv): Output {
  const json = words.includes('--json') || /^(1|true|yes|on)$/i.test(env['E2EEFTP_JSON'] ?? '');
  return new Output({ json, color: colorAllowed(!words.includes('--no-color'), env) });
}

/**
 * Reports what kept a command line from starting, such as a native addon for another platform. The usual report needs
 * the library, which may be what could not be loaded.
 * @returns the exit code.
 */
export function reportFailedStart(words: readonly string[], env: NodeJS.ProcessEnv, thrown: unknown): number {
  const missing = (thrown as { code?: unknown } | null)?.code === 'E2EEFTP_NO_BINARY';
  const { message = String(thrown), hint = null } = thrown as { message?: string; hint?: string | null };
  const code = missing ? 'E2EEFTP_NO_BINARY' : 'E2EEFTP_INTERNAL';
  const output = earlyOutput(words, env);
  if (output.json) output.event({ type: 'error', code, message, hint, file: null });
  else output.error(`${output.style('red', `error[${code}]`)}: ${message}${hint === null ? '' : `\n  → ${hint}`}`);
  return missing ? EXIT.incompatible : EXIT.other;
}

async function runVerb(verb: Verb, command: Command, env: NodeJS.ProcessEnv): Promise<number> {
  let globals: GlobalOptions;
  try {
    globals = resolveGlobalOptions(command, env);
  } catch (error) {
    if (error instanceof InvalidArgumentError) command.error(`error: ${error.message}`);
    throw error;
  }
  const { json, quiet, verbose: verbosity } = globals;
  const output = new Output({ json, quiet, verbosity, color: colorAllowed(globals.color, env) });
  // `--help` and `--version` answer without the library: loading the native addon takes its time.
  const [{ E2eeftpError }, { Interruption }, { reportError }] = await Promise.all([
    import('../index.js'),
    import('./interruption.js'),
    import('./report-error.js'),
  ]);
  const interruption = new Interruption(verb.handlesSignals === true ? undefined : globals.timeout);
  if (verb.handlesSignals !== true) interruption.listen();
  const { signal, alive, pauseTimeout } = interruption;
  const context: CliContext = { output, globals, env, signal, alive, pauseTimeout };
  try {
    if (globals.config !== undefined) {
      throw new E2eeftpError('E2EEFTP_UNSUPPORTED', 'configuration files are not supported yet', {
        hint: 'leave out --config and E2EEFTP_CONFIG; options and environment variables do the same',
      });
    }
    return (await verb.run(context, command.args, command.opts())) ?? EXIT.ok;
  } catch (error) {
    const code = reportError(output, signal.aborted ? signal.reason : error);
    return interruption.exitCode ?? code;
  } finally {
    interruption.close();
  }
}

/**
 * Runs one command line.
 * @param words the arguments after the program's name.
 * @returns the exit code; every failure has been reported by then.
 */
export async function runCommandLine(words: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('e2eeftp')
    .description('End-to-end-encrypted, verified, atomic file transfer.')
    .usage('[options] <verb> …')
    .version(version(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .enablePositionalOptions()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
    .addHelpText(
      'after',
      `\n${globalOptionsHelp()}\n\n\`e2eeftp <verb> --help\` shows the options of a verb, and two examples.`,
    );
  addGlobalOptions(program, { hidden: true });
  const loaded = new Map(
    await Promise.all(verbsNamedIn(words).map(async (entry) => [entry.name, (await entry.load()).verb] as const)),
  );
  for (const entry of VERBS) {
    const command = program.command(entry.name).description(entry.summary).helpGroup(entry.group);
    if (entry.alias !== undefined) command.alias(entry.alias);
    const verb = loaded.get(entry.name);
    if (verb === undefined) continue;
    const examples = verb.examples.map((example) => `  $ ${example}`).join('\n');
    command.addHelpText('before', `Examples:\n${examples}\n`).helpOption('-h, --help', 'show this help');
    verb.configure(command);
    addGlobalOptions(command);
    command.action(async () => {
      exitCode = await runVerb(verb, command, env);
    });
  }
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (ANSWERS.has(error.code)) return words.length === 0 ? EXIT.usage : EXIT.ok;
    const verb = verbsNamedIn(words.slice(0, 1))[0]?.name;
    const hint = `see e2eeftp ${verb === undefined ? '' : `${verb} `}--help`;
    const message = error.message.replace(/^error: /, '');
    const output = earlyOutput(words, env);
    const code = 'E2EEFTP_INVALID_ARGUMENT';
    if (output.json) output.event({ type: 'error', code, message, hint, file: null });
    else output.error(`${output.style('red', `error[${code}]`)}: ${message}\n  → ${hint}`);
    return EXIT.usage;
  }
  return exitCode;
}
