/** `--classic`: talk to a server of the original Python e2eeftp (`docs/CLASSIC.md`). */
import type { Command, OptionValues } from 'commander';

/** Adds the option to a verb. */
export function addClassicOption(command: Command): Command {
  return command.option('--classic', 'the server is an original Python e2eeftp, or one that serves its clients');
}

/** Whether it was given. */
export function isClassic(options: OptionValues): boolean {
  return options['classic'] === true;
}
