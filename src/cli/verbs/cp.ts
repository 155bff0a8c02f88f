/** `e2eeftp cp`: copies on a server, without moving the content over the network. */
import { type Command, Option, type OptionValues } from 'commander';
import { displayName, E2eeftpError } from '../../index.js';
import type { CliContext, Verb } from '../context.js';
import { formatBytes, formatDuration } from '../human-units.js';
import { withClient } from '../open-client.js';
import { createProgressDisplay } from '../progress-display.js';
import { readRemoteOperands, sourceName, withTakenHint } from '../remote-operands.js';
import { finalName, requireDirectory } from '../remote-target.js';
import { runEach } from '../run-each.js';
import { showWork } from '../show-work.js';

function withHint(error: unknown): unknown {
  if (!E2eeftpError.is(error, 'E2EEFTP_IS_DIRECTORY')) return error;
  return new E2eeftpError(error.code, error.message, { cause: error, hint: 'directories are copied with -r' });
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { output, signal } = context;
  const { sources, target } = readRemoteOperands(context, 'cp', operands);
  const overwrite = options['clobber'] === false ? 'refuse' : 'replace';
  const recursive = options['recursive'] === true;
  const display = createProgressDisplay(output.json ? 'none' : 'auto', output, context.env['TERM']);
  return withClient(context, target, async (client) => {
    const wanted = sources.length > 1 ? await requireDirectory(client, target.path, signal) : target.path;
    const texts = sources.map(({ text }) => text);
    return runEach(context, texts, async (text, index) => {
      const from = sources[index]?.address;
      if (from === undefined) return;
      const { path: to } = await finalName(client, wanted, sourceName(from), signal);
      display.start(text, null);
      const copied = await client
        .copy(from.path, to, { overwrite, recursive, ...showWork(context, display) })
        .catch((error: unknown) => {
          throw withTakenHint(recursive ? error : withHint(error), from.path, to, overwrite);
        })
        .finally(() => display.stop());
      const { files, directories, links, bytes, seconds } = copied;
      if (output.json) {
        const result = { from: from.path, to, files, directories, links, bytes, seconds };
        output.event({ type: 'result', verb: 'cp', result });
        return;
      }
      const what = files === 1 ? formatBytes(bytes) : `${files} files, ${formatBytes(bytes)}`;
      output.note(`copied ${displayName(text)} to ${displayName(to)}: ${what} in ${formatDuration(seconds)}`);
    });
  });
}

export const verb: Verb = {
  examples: [
    'e2eeftp cp files.example.org:/inbox/a.pdf files.example.org:/archive/',
    'e2eeftp cp -r files.example.org:/inbox/2026 files.example.org:/inbox/2027',
  ],
  configure(command: Command): void {
    command
      .usage('[options] <peer:from…> <peer:to>')
      .argument('<peer:from… peer:to...>', 'names on a server; then the new name there, or a directory to copy into')
      .option('-r, --recursive', 'directories with all they hold; symbolic links stay links')
      .addOption(new Option('--overwrite', 'replace files that have the name; the default').conflicts('clobber'))
      .option('--no-clobber', 'fail when a name is taken');
  },
  run,
};
