/** The manual page `e2eeftp(1)`, made of what `--help` is made of: the verbs, their options, and the settings. */
import type { Command, Option } from 'commander';
import { SETTINGS } from '../settings/table.js';
import type { Setting } from '../settings/setting.js';
import type { DescribedVerb } from './described-verbs.js';
import { EXIT_MEANINGS } from './exit-meanings.js';

/** Text as roff takes it: nothing in it is a request or an escape, a hyphen can be copied into a command line. */
function roff(text: string): string {
  return inline(wrapped(text));
}

/** As {@link roff}, for a part of a line. */
function inline(text: string): string {
  const escaped = text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll("'", String.raw`\(aq`)
    .replaceAll('`', '')
    // Where a word is too long for a line it may be broken.
    .replaceAll(/\S{40,}/g, (word) => word.replaceAll(',', String.raw`,\:`));
  return escaped.replaceAll(/^([.'])/gm, String.raw`\&$1`);
}

/** Input lines of about 60 characters, which grow when they are escaped; what has line breaks stays as it is. */
function wrapped(text: string): string {
  if (text.includes('\n') || text.length <= 60) return text;
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string;
    if (line !== '' && line.length + word.length > 60) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n');
}

function bold(text: string): string {
  return String.raw`\fB${inline(text)}\fR`;
}

/** `-P, --port <port>` with its name in bold and its argument in italics. */
function flags(text: string): string {
  return inline(text)
    .replaceAll(/(^|, )([^ ,]+)/g, String.raw`$1\fB$2\fR`)
    .replaceAll(/<([^>]+)>/g, String.raw`\fI$1\fR`);
}

function capital(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.…]$/.test(first) ? first : `${first}.`;
}

function item(head: string, ...body: string[]): string[] {
  return ['.TP', head, ...body.filter((line) => line !== '')];
}

function settingOf(option: Option, entryName: string): Setting | undefined {
  return SETTINGS.find(
    ({ flags: own, verbs }) => own === option.flags && (verbs === 'every' || verbs.includes(entryName)),
  );
}

function describeOption(option: Option, entryName: string): string[] {
  const setting = settingOf(option, entryName);
  const choices = option.argChoices === undefined ? '' : ` One of ${option.argChoices.join(', ')}.`;
  const text = capital(option.description.replace(/ \[E2EEFTP_\w+\]$/, ''));
  const details = setting?.details === undefined ? '' : ` ${setting.details}`;
  const variable = setting === undefined ? '' : ` Environment: ${setting.environment}.`;
  return item(flags(option.flags), roff(`${text}${choices}${details}${variable}`));
}

function isOwn(command: Command, globals: ReadonlySet<string>): (option: Option) => boolean {
  return (option) => !option.hidden && !globals.has(option.flags) && command.options.includes(option);
}

function describeVerb({ entry, verb, command }: DescribedVerb, globals: ReadonlySet<string>): string[] {
  const names = entry.alias === undefined ? entry.name : `${entry.name}|${entry.alias}`;
  const options = command.options
    .filter(isOwn(command, globals))
    .flatMap((option) => describeOption(option, entry.name));
  const lines = [
    `.SS ${bold(`e2eeftp ${names}`)} ${inline(command.usage())}`,
    roff(capital(entry.summary)),
    ...command.registeredArguments.flatMap((argument) =>
      item(`\\fI${inline(argument.name())}\\fR`, roff(capital(argument.description))),
    ),
    ...options,
    '.PP',
    'Examples:',
    '.PP',
    '.nf',
    '.RS 4',
    roff(verb.examples.join('\n')),
    '.RE',
    '.fi',
  ];
  return lines;
}

function describeKey({ key, type, peers, scope }: Setting): string[] {
  const where =
    scope === 'server'
      ? ''
      : peers === 'only'
        ? ' Only in [peers.NAME].'
        : peers === 'also'
          ? ' Also in [peers.NAME].'
          : '';
  return item(bold(key), roff(`${capital(type.expects)}${where}`));
}

const CLIENT_EXAMPLE = `[defaults]
timeout = 60

[peers.backup]
host = "backup.example.org"
port = 6001
identity = "backup.key"
server-key = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"`;

function configuration(): string[] {
  const inFiles = SETTINGS.filter(({ notInFiles }) => notInFiles !== true);
  const of = (...scopes: string[]): string[] =>
    inFiles.filter(({ scope }) => scopes.includes(scope)).flatMap(describeKey);
  return [
    roff(
      'Every setting is an option, an environment variable and a key in a TOML file. The option after the verb wins over the ' +
        'one before it, both over the environment, that over the file, and that over the default; e2eeftp config show ' +
        '--origin tells which it was. A key is the long option without its dashes. An unknown key, or a value of another ' +
        'type than expected, is an error. A relative path starts at the directory of the file, and ~/ is the home. No secret is ' +
        'ever in a file. A switch that a file turns on is turned off by --no- in front of its name.',
    ),
    '.PP',
    roff('A client has the tables [defaults] and [peers.NAME]; the name of a peer stands for it in PEER:PATH:'),
    '.PP',
    '.nf',
    '.RS 4',
    roff(CLIENT_EXAMPLE),
    '.RE',
    '.fi',
    '.SS Keys of both files',
    ...of('every'),
    '.SS Keys of a client',
    ...of('client'),
    '.SS Keys of a server',
    ...of('server'),
  ];
}

/** What the page is made of. */
export interface ManPageSource {
  readonly verbs: readonly DescribedVerb[];
  readonly version: string;
  /** `2026-01-31`. */
  readonly date: string;
}

/** The page, in the macros of man(7). */
export function manPage({ verbs, version, date }: ManPageSource): string {
  const globalOptions = verbs[0]?.command.options.filter((option) => settingOf(option, '') !== undefined) ?? [];
  const globals = new Set(globalOptions.map((option) => option.flags));
  const lines = [
    `.\\" Made by npm run build; do not edit.`,
    `.TH E2EEFTP 1 ${date} "e2eeftp ${version}" "User Commands"`,
    // Lines are neither stretched nor hyphenated: both hurt options and names.
    '.ad l',
    '.nh',
    '.SH NAME',
    roff('e2eeftp - end-to-end-encrypted, verified, atomic file transfer'),
    '.SH SYNOPSIS',
    `${bold('e2eeftp')} [\\fIoptions\\fR] \\fIverb\\fR …`,
    '.SH DESCRIPTION',
    roff(
      'Moves files between two machines that know each other’s keys. A file appears under its name when it is whole, verified ' +
        'and durable; until then, and after any failure, the old one stays as it was.',
    ),
    '.SH ADDRESSES',
    roff(
      'PEER:PATH, where PEER is a name from the configuration file, a host name, an IPv4 address or [IPv6]; or ' +
        'e2eeftp://host[:port]/path. A path without leading / starts in your home on the server. A local path that has a : ' +
        'before any / is written ./a:b.',
    ),
    '.SH OPTIONS OF EVERY VERB',
    ...globalOptions.filter((option) => !option.hidden).flatMap((option) => describeOption(option, '')),
    ...item(flags('-h, --help'), roff('Show the help of a verb.')),
    ...item(flags('-V, --version'), roff('Show the version; without a verb only.')),
    '.SH VERBS',
    ...verbs.flatMap((verb) => describeVerb(verb, globals)),
    '.SH CONFIGURATION',
    ...configuration(),
    '.SH EXIT STATUS',
    ...Object.entries(EXIT_MEANINGS).flatMap(([code, meaning]) => item(bold(code), roff(capital(meaning)))),
    '.SH ENVIRONMENT',
    roff('Besides the variable of each setting:'),
    ...item(bold('NO_COLOR'), roff('Not empty: plain text.')),
    ...item(bold('XDG_CONFIG_HOME, XDG_DATA_HOME'), roff('Where the directories below are.')),
    '.SH FILES',
    ...item(inline('~/.config/e2eeftp/config.toml'), roff('Settings and peers of a client.')),
    ...item(inline('~/.config/e2eeftp/client_id.key'), roff('Your private key; client_id.pub is its public half.')),
    ...item(inline('~/.config/e2eeftp/known_servers'), roff('The keys of the servers that you trust.')),
    ...item(inline('~/.local/share/e2eeftp/server.toml'), roff('Settings of a server; for root in /var/lib/e2eeftp.')),
    ...item(inline('~/.local/share/e2eeftp/server_id.key'), roff('The private key of a server.')),
    ...item(
      inline('~/.local/share/e2eeftp/server_id.rotation'),
      roff('What keygen --rotate has made the older keys sign: which key follows each; clients are shown it.'),
    ),
    ...item(
      inline('~/.local/share/e2eeftp/server_id.old.key'),
      roff('The private key before the last keygen --rotate; to be destroyed once the new one is in use.'),
    ),
    ...item(inline('~/.local/share/e2eeftp/authorized_clients.pub'), roff('Who may log in to it.')),
    '.SH SEE ALSO',
    `${bold('ssh-keygen')}(1), ${bold('b3sum')}(1)`,
  ];
  return `${lines.join('\n')}\n`;
}
