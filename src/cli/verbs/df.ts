/** `e2eeftp df`: how much room servers have. */
import type { Command, OptionValues } from 'commander';
import { displayName, type SpaceResult } from '../../index.js';
import { parseAddress, parsePeer, type RemoteAddress } from '../address.js';
import type { CliContext, Verb } from '../context.js';
import { formatBytes } from '../human-units.js';
import { ClientPool } from '../open-client.js';
import { runEach } from '../run-each.js';

/** `PEER` alone is its home. */
function parsePlace(text: string): RemoteAddress {
  const address = parseAddress(text);
  return address.kind === 'remote' ? address : { kind: 'remote', ...parsePeer(text), path: '' };
}

interface Row {
  place: string;
  size: string;
  used: string;
  available: string;
  use: string;
}

const TITLES: Row = { place: 'Place', size: 'Size', used: 'Used', available: 'Available', use: 'Use' };

/** Use counts what the server can fill, as `df` of coreutils does; rounded up. */
function usedShare({ total, free, available }: SpaceResult): string {
  const used = total - free;
  const whole = used + available;
  return whole === 0 ? '-' : `${Math.ceil((used / whole) * 100)}%`;
}

function toRow(place: string, space: SpaceResult, human: boolean): Row {
  const show = human ? formatBytes : String;
  const { total, free, available } = space;
  return {
    place: displayName(place),
    size: show(total),
    used: show(total - free),
    available: show(available),
    use: usedShare(space),
  };
}

function printTable(context: CliContext, rows: readonly Row[]): void {
  const all = [TITLES, ...rows];
  const width = (name: keyof Row): number => Math.max(...all.map((row) => row[name].length));
  const [place, size, used, available, use] = (['place', 'size', 'used', 'available', 'use'] as const).map(width);
  for (const row of all) {
    const figures = [
      row.size.padStart(size ?? 0),
      row.used.padStart(used ?? 0),
      row.available.padStart(available ?? 0),
      row.use.padStart(use ?? 0),
    ];
    context.output.data(`${row.place.padEnd(place ?? 0)}  ${figures.join('  ')}`);
  }
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { output, signal } = context;
  const human = options['human'] === true || (options['bytes'] !== true && process.stdout.isTTY);
  const places = operands.map(parsePlace);
  const rows: Row[] = [];
  const clients = new ClientPool(context);
  try {
    return await runEach(context, operands, async (operand, index) => {
      const place = places[index];
      if (place === undefined) return;
      const client = await clients.open(place);
      const path = place.path === '' ? '.' : place.path;
      const space = await client.space(path, { signal });
      const { total, free, available, files, filesFree } = space;
      if (output.json) {
        const result = { path, total, used: total - free, free, available, files, filesFree };
        output.event({ type: 'result', verb: 'df', result });
      } else {
        rows.push(toRow(operand, space, human));
      }
    });
  } finally {
    if (rows.length > 0) printTable(context, rows);
    await clients.close();
  }
}

export const verb: Verb = {
  examples: ['e2eeftp df files.example.org', 'e2eeftp df --json files.example.org:/inbox backup.example.org:'],
  configure(command: Command): void {
    command
      .argument('<peer[:path]...>', 'servers, or names on them')
      .option('-h, --human', 'sizes with units; the default on a terminal')
      .option('-b, --bytes', 'sizes in bytes; the default elsewhere');
  },
  run,
};
