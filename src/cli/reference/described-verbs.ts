/** Every verb with its arguments and options, for what documents and tests derive from them. */
import { Command } from 'commander';
import type { Verb } from '../context.js';
import { configureVerb, VERBS, type VerbEntry } from '../verbs.js';

/** A verb as `--help` knows it. */
export interface DescribedVerb {
  readonly entry: VerbEntry;
  readonly verb: Verb;
  readonly command: Command;
}

/** Loads all verbs, in the order of the table. */
export async function describedVerbs(): Promise<DescribedVerb[]> {
  return Promise.all(
    VERBS.map(async (entry) => {
      const { verb } = await entry.load();
      return { entry, verb, command: configureVerb(new Command(entry.name), verb) };
    }),
  );
}
