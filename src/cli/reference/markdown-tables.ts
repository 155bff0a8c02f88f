/** The parts of `docs/CLI.md` that are made of the tables of the program. `npm run docs` writes them, a test compares. */
import { formatValue, type Setting } from '../settings/setting.js';
import { GLOBAL_SETTINGS, SETTINGS } from '../settings/table.js';
import { EXIT_MEANINGS } from './exit-meanings.js';

/** A cell may not end its column. */
function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function flagsCell({ flags, negation, type, key, isNegative }: Setting): string {
  const upper = flags.replace(/<(.*)>/, (_, name: string) => name.toUpperCase());
  return type.isSwitch === true && negation !== undefined && !isNegative
    ? `\`${upper}\` / \`--no-${key}\``
    : `\`${upper}\``;
}

function defaultCell(setting: Setting): string {
  const { default: value, defaultText, type } = setting;
  if (defaultText !== undefined) return defaultText;
  if (value === undefined || type.isSwitch === true || type.countsTo !== undefined) return '';
  return `\`${formatValue(setting, value)}\``;
}

function helpCell({ help, negation, type, details, peers, notInFiles }: Setting): string {
  const parts = [help.replace(/ \(default:? ?[^)]*\)/, '')];
  if (negation !== undefined) parts[0] += ` (the default) / ${negation}`;
  if (type.choices !== undefined) parts.push(type.choices.map((choice) => `\`${choice}\``).join(', '));
  const text = `${parts.join(': ')}.${details === undefined ? '' : ` ${details}`}`;
  if (notInFiles === true) return `${text} Not in a file.`;
  return peers === undefined
    ? text
    : `${text} ${peers === 'only' ? 'In a file in' : 'Also in'} \`[peers.NAME]\`${peers === 'only' ? ' only' : ''}.`;
}

/** The table of some settings: option, environment variable, meaning, default. */
function settingsTable(settings: readonly Setting[]): string {
  const rows = settings.map((setting) => [
    flagsCell(setting),
    `\`${setting.environment}\``,
    helpCell(setting),
    defaultCell(setting),
  ]);
  return table(['option', 'environment', 'does', 'default'], rows);
}

/** The generated parts of the page, by the name in their marker. */
export function markdownTables(): ReadonlyMap<string, string> {
  const own = SETTINGS.filter(({ verbs }) => verbs !== 'every');
  return new Map([
    ['settings of every verb', settingsTable(GLOBAL_SETTINGS)],
    ['settings of transfers', settingsTable(own.filter(({ scope }) => scope === 'client'))],
    ['settings of a server', settingsTable(own.filter(({ scope }) => scope === 'server'))],
    ['exit codes', table(['code', 'meaning'], Object.entries(EXIT_MEANINGS))],
  ]);
}

/**
 * A page with its generated parts made anew: each stands between `<!-- generated: NAME -->` and `<!-- end -->`.
 * @throws Error when the page lacks the place of a part, or has one that nobody knows.
 */
export function withGeneratedParts(page: string): string {
  const tables = markdownTables();
  const found = new Set<string>();
  const result = page.replaceAll(/<!-- generated: (.*?) -->\n[\s\S]*?<!-- end -->/g, (_, name: string) => {
    const text = tables.get(name);
    if (text === undefined) throw new Error(`nobody knows the generated part '${name}'`);
    found.add(name);
    return `<!-- generated: ${name} -->\n${text}\n<!-- end -->`;
  });
  for (const name of tables.keys())
    if (!found.has(name)) throw new Error(`the page lacks the generated part '${name}'`);
  return result;
}
