/** The command line of the bench and the sizes that follow from it. */
import os from 'node:os';
import { parseArgs } from 'node:util';

const KIB = 1024;
const MIB = KIB * KIB;
const GIB = KIB * MIB;

/** Names of the suites, in the order in which they run and are reported. */
/* prettier-ignore */
const suiteNames = [
  'pump', 'files', 'clients', 'memory', 'handshakes', 'event-loop', 'small-files', 'wan', 'resume', 'delta',
  'durability',
];

export const helpText = `Usage: npm run bench -- [options]

Measures e2eeftp beside a plain TCP copy, scp, rsync, sftp, ssh2 and sshd, on loopback and on an
emulated link.
A full run writes bench/RESULTS.md; --quick and --only print unless --write is given. Of a suite that is
not run the older figures stay there.

  --quick           256 MiB and 3 rounds instead of 2 GiB and 5
  --only NAME       only this suite (repeatable): ${suiteNames.join(', ')}
  --rounds N        measured rounds after the warm-up round
  --size MIB        size of the transferred file in MiB (a multiple of 8)
  --wan-size MIB    size of the file of "wan" in MiB (default 4096; a multiple of 256)
  --congestion NAME also run "wan" with this congestion control (repeatable), besides the system's own
  --send-buffer MIB largest send buffer of a connection in "wan", for every peer (default: the system's)
  --large GIB       size of the large file of "memory" and "resume" in GiB (default 20)
  --seed N          of what is random: losses, changed bytes (default: new ones, printed)
  --dir DIR         folder for the files, best a tmpfs (default /dev/shm)
  --disk-dir DIR    folder for the large files of "memory" and "resume" (default: the system's temp folder)
  --sshd PATH       the sshd to compare with (default: found in PATH and /usr/sbin)
  --no-build        measure what is built already
  --write           write bench/RESULTS.md in any case
  --json FILE       also write every sample as JSON
  --help
`;

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {boolean} build whether to build before measuring
 * @property {boolean} quick
 * @property {string[]} suites the suites to run, in order
 * @property {boolean} write whether RESULTS.md is written
 * @property {string | null} json file for the raw samples
 * @property {string} dir parent of the scratch folder
 * @property {string} diskDir parent of the scratch folder for the sparse file
 * @property {string | null} sshd path of the sshd to use
 * @property {number} rounds measured rounds
 * @property {number} fileBytes length of the transferred file
 * @property {number} sparseBytes length of the large file of the suites memory and resume
 * @property {number} wanBytes length of the file that crosses the emulated link
 * @property {string[]} congestion names of further congestion controls for it
 * @property {number} sendBufferBytes the largest send buffer there; 0 for the system's
 * @property {string} [seed]
 * @property {number} handshakes handshakes of one measured run
 * @property {number} logins ssh logins and key exchanges of one measured run
 * @property {number} smallFiles files of the tree of small files
 * @property {number} manyFiles files of the tree whose memory is measured
 * @property {number} loopSeconds shortest time for which the event loops are watched
 */

/**
 * @param {string[]} argv
 * @returns {Options}
 * @throws {Error} on an unknown option, suite or number
 */
export function parseOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      size: { type: 'string' },
      'wan-size': { type: 'string' },
      congestion: { type: 'string', multiple: true, default: [] },
      'send-buffer': { type: 'string' },
      large: { type: 'string' },
      seed: { type: 'string' },
      dir: { type: 'string', default: '/dev/shm' },
      'disk-dir': { type: 'string', default: os.tmpdir() },
      sshd: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const unknown = values.only?.find((name) => !suiteNames.includes(name));
  if (unknown !== undefined) {
    throw new Error(`Unknown suite "${unknown}": choose from ${suiteNames.join(', ')}`);
  }
  const full = !values.quick && values.only === undefined && values.size === undefined;
  const mebibytes = positive('--size', values.size, values.quick ? 256 : 2 * KIB);
  if (mebibytes % 8 !== 0) throw new Error('--size must be a multiple of 8');
  const wanMebibytes = positive('--wan-size', values['wan-size'], values.quick ? 512 : 4 * KIB);
  if (wanMebibytes % 256 !== 0) throw new Error('--wan-size must be a multiple of 256');
  return {
    help: values.help,
    build: !values['no-build'],
    quick: values.quick,
    suites: suiteNames.filter((name) => values.only?.includes(name) ?? true),
    write: values.write || full,
    json: values.json ?? null,
    dir: values.dir,
    diskDir: values['disk-dir'],
    sshd: values.sshd ?? null,
    rounds: positive('--rounds', values.rounds, values.quick ? 3 : 5),
    fileBytes: mebibytes * MIB,
    sparseBytes: positive('--large', values.large, values.quick ? 2 : 20) * GIB,
    wanBytes: wanMebibytes * MIB,
    congestion: values.congestion,
    sendBufferBytes: positive('--send-buffer', values['send-buffer'], 0) * MIB,
    seed: values.seed,
    handshakes: values.quick ? 2000 : 20_000,
    logins: values.quick ? 8 : 40,
    smallFiles: values.quick ? 20_000 : 100_000,
    manyFiles: values.quick ? 200_000 : 1_000_000,
    loopSeconds: values.quick ? 2 : 10,
  };
}

/** @returns {number} the whole number above 0 in `text`, or `fallback` when it is missing */
function positive(name, text, fallback) {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} wants a whole number`);
  return value;
}
