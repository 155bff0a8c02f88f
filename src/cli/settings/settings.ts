/** The settings of one run: from options, environment, file and defaults. */
import { type Command, InvalidArgumentError, type OptionValues } from 'commander';
import { E2eeftpError } from '../../index.js';
import type { ConfigFile, ConfigKind } from './config-file.js';
import { type Effective, type FileValues, optionsWith, resolveSetting } from './resolve.js';
import type { Setting } from './setting.js';
import { GLOBAL_SETTINGS, settingsOfVerb, SETTINGS } from './table.js';

/** What a run looks its settings up in. */
export interface SettingsSource {
  command: Command;
  env: NodeJS.ProcessEnv;
  /** Whose settings they are. */
  kind: ConfigKind;
  file?: ConfigFile | undefined;
}

/** The settings of one run. */
export class Settings {
  readonly kind: ConfigKind;
  readonly file: ConfigFile | undefined;
  readonly #source: SettingsSource;
  readonly #values: FileValues | undefined;

  constructor(source: SettingsSource) {
    this.kind = source.kind;
    this.file = source.file;
    this.#source = source;
    this.#values = source.file?.values;
  }

  /** The command line that runs. */
  get command(): Command {
    return this.#source.command;
  }

  /** The names of the peers in the file. */
  get peerNames(): readonly string[] {
    return [...(this.file?.peers.keys() ?? [])];
  }

  /**
   * One setting, by its key.
   * @param peer a name of the file: its own values win over the other ones there.
   * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` when its environment variable is not valid.
   */
  get(key: string, peer?: string): Effective {
    const setting = SETTINGS.find((each) => each.key === key && this.#fits(each));
    if (setting === undefined) throw new Error(`there is no setting ${key}`);
    return this.#resolve(setting, peer);
  }

  /** All settings that this kind of run has, in the order of the table. */
  all(peer?: string): Effective[] {
    return SETTINGS.filter(({ scope }) => scope === 'every' || scope === this.kind).map((setting) =>
      this.#resolve(setting, peer),
    );
  }

  /** The options of the verb that runs, with the values of its settings from wherever they were given. */
  options(): OptionValues {
    const { command } = this.#source;
    const settings = [...GLOBAL_SETTINGS, ...settingsOfVerb(command.name())];
    return optionsWith(
      settings.map((setting) => this.#resolve(setting)),
      command,
    );
  }

  #fits(setting: Setting): boolean {
    return setting.scope === 'every' || setting.scope === this.kind || setting.verbs === 'every';
  }

  #resolve(setting: Setting, peer?: string): Effective {
    const { command, env, file } = this.#source;
    const own = peer === undefined ? undefined : file?.peers.get(peer);
    const values = own === undefined ? this.#values : new Map([...(this.#values ?? []), ...own]);
    try {
      return resolveSetting(setting, command, env, values);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', error.message, { hint: 'unset the variable, or correct it' });
    }
  }
}
