/** `e2eeftp completion`: prints the script that lets a shell complete e2eeftp. */
import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion/scripts.js';
import type { CliContext, Verb } from '../context.js';

function run(context: CliContext, operands: string[]): Promise<void> {
  const shell = operands[0] as Shell;
  const script = completionScript(shell);
  if (context.output.json) {
    context.output.event({ type: 'result', verb: 'completion', result: { shell, script } });
  } else {
    context.output.data(script.trimEnd());
  }
  return Promise.resolve();
}

export const verb: Verb = {
  examples: [
    'e2eeftp completion bash > ~/.local/share/bash-completion/completions/e2eeftp',
    'e2eeftp completion fish > ~/.config/fish/completions/e2eeftp.fish',
  ],
  configure(command: Command): void {
    command.addArgument(new Argument('<shell>', 'the shell').choices([...SHELLS]));
  },
  run,
};
