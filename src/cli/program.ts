/** Builds the command line, runs one, and answers its exit code. Nothing else of the process is touched here. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, type OptionValues } from 'commander';
import type { CliContext, Verb } from './context.js';
import { EXIT } from './exit-code.js';
import { COMPLETE_VERB } from './completion/verb.js';
import { addGlobalOptions, type GlobalOptions, globalOptionsHelp, resolveGlobalOptions } from './global-options.js';
import { colorAllowed, Output } from './output.js';
import type { VerbConfig } from './settings/load-settings.js';
import type { Settings } from './settings/settings.js';
import { configureVerb, VERBS, verbsNamedIn } from './verbs.js';

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The errors of commander that are answers, not mistakes. */
const ANSWERS = new Set(['commander.helpDisplayed', 'commander.version']);

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

function makeOutput(globals: GlobalOptions, env: NodeJS.ProcessEnv): Output {
  const { json, quiet, verbose: verbosity } = globals;
  return new Output({ json, quiet, verbosity, color: colorAllowed(globals.color, env) });
}

/** The global options without those of the file. A bad environment variable is wrong usage. */
function earlyOptions(command: Command, env: NodeJS.ProcessEnv): GlobalOptions {
  try {
    return resolveGlobalOptions(command, env);
  } catch (error) {
    if (error instanceof InvalidArgumentError) command.error(`error: ${error.message}`);
    throw error;
  }
}

/** Reports one failure, or each of several. @returns the exit code of the last. */
function reportAll(report: (error: unknown) => number, thrown: unknown): number {
  const failures: unknown[] = thrown instanceof AggregateError ? thrown.errors : [thrown];
  return failures.reduce<number>((_, failure) => report(failure), EXIT.other);
}

async function runVerb(verb: Verb, config: VerbConfig, command: Command, env: NodeJS.ProcessEnv): Promise<number> {
  // Until the file is read nobody knows better.
  let output = makeOutput(earlyOptions(command, env), env);
  // `--help` and `--version` answer without the library: loading the native addon takes its time.
  const [{ Interruption }, { reportError }, { loadSettings }, { displayName }] = await Promise.all([
    import('./interruption.js'),
    import('./report-error.js'),
    import('./settings/load-settings.js'),
    import('../index.js'),
  ]);
  let settings: Settings;
  let options: OptionValues;
  try {
    settings = await loadSettings(command, env, config, (line) => output.warn(displayName(line)));
    options = settings.options();
  } catch (error) {
    return reportAll((each) => reportError(output, each), error);
  }
  const globals = resolveGlobalOptions(command, env, settings.file?.values);
  output = makeOutput(globals, env);
  const interruption = new Interruption(verb.handlesSignals === true ? undefined : globals.timeout);
  if (verb.handlesSignals !== true) interruption.listen();
  const { signal, alive, pauseTimeout } = interruption;
  const context: CliContext = { output, globals, settings, env, signal, alive, pauseTimeout };
  try {
    const code = (await verb.run(context, command.args, options)) ?? EXIT.ok;
    // A verb that has told of the interruption itself does not know which signal it was.
    return code === EXIT.interrupted ? (interruption.exitCode ?? code) : code;
  } catch (error) {
    const code = reportAll((each) => reportError(output, each), signal.aborted ? signal.reason : error);
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
  if (words[0] === COMPLETE_VERB) return (await import('./completion/complete.js')).complete(words.slice(1), env);
  let exitCode: number = EXIT.ok;
  const program = new Command('e2eeftp')
    .description('End-to-end-encrypted, verified, atomic file transfer.')
    .usage('[options] <verb> …')
    .version(version(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .enablePositionalOptions()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      outputError: () => undefined,
      writeErr: (text) => void (earlyOutput(words, env).json || process.stderr.write(text)),
    })
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
    command.addHelpText('before', `Examples:\n${examples}\n`);
    configureVerb(command, verb);
    command.action(async () => {
      exitCode = await runVerb(verb, entry.config ?? 'client', command, env);
    });
  }
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const output = earlyOutput(words, env);
    // Without a verb commander shows its help: on standard error, because it is no answer to a question.
    const lacksVerb = error.code === 'commander.help';
    if (lacksVerb && !output.json) return EXIT.usage;
    if (!lacksVerb && ANSWERS.has(error.code)) return EXIT.ok;
    const verb = verbsNamedIn(words.slice(0, 1))[0]?.name;
    const hint = `see e2eeftp ${verb === undefined ? '' : `${verb} `}--help`;
    const message = lacksVerb ? 'a verb is missing' : error.message.replace(/^error: /, '');
    const code = 'E2EEFTP_INVALID_ARGUMENT';
    if (output.json) output.event({ type: 'error', code, message, hint, file: null });
    else output.error(`${output.style('red', `error[${code}]`)}: ${message}\n  → ${hint}`);
    return EXIT.usage;
  }
  return exitCode;
}
