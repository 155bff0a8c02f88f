/** `e2eeftp mv`: moves or renames on a server. */
import { type Command, Option, type OptionValues } from 'commander';
import { displayName } from '../../index.js';
import type { CliContext, Verb } from '../context.js';
import { withClient } from '../open-client.js';
import { readRemoteOperands, sourceName, withTakenHint } from '../remote-operands.js';
import { finalName, requireDirectory } from '../remote-target.js';
import { runEach } from '../run-each.js';

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { output, signal } = context;
  const { sources, target } = readRemoteOperands(context, 'mv', operands);
  const overwrite = options['clobber'] === false ? 'refuse' : 'replace';
  return withClient(context, target, async (client) => {
    const wanted = sources.length > 1 ? await requireDirectory(client, target.path, signal) : target.path;
    const texts = sources.map(({ text }) => text);
    return runEach(context, texts, async (text, index) => {
      const from = sources[index]?.address;
      if (from === undefined) return;
      const { path: to } = await finalName(client, wanted, sourceName(from), signal);
      await client.move(from.path, to, { overwrite, signal }).catch((error: unknown) => {
        throw withTakenHint(error, from.path, to, overwrite);
      });
      if (output.json) {
        output.event({ type: 'result', verb: 'mv', result: { from: from.path, to, moved: true } });
      } else {
        output.note(`moved ${displayName(text)} to ${displayName(to)}`);
      }
    });
  });
}

export const verb: Verb = {
  examples: [
    'e2eeftp mv files.example.org:/inbox/a.pdf files.example.org:/inbox/b.pdf',
    'e2eeftp mv files.example.org:/inbox/2026 files.example.org:/archive/',
  ],
  configure(command: Command): void {
    command
      .usage('[options] <peer:from…> <peer:to>')
      .argument('<peer:from… peer:to...>', 'names on a server; then the new name there, or a directory to move into')
      .addOption(new Option('--overwrite', 'replace a file that has the name; the default').conflicts('clobber'))
      .option('--no-clobber', 'fail when the name is taken');
  },
  run,
};
