/** The settings of pace, room and figures: how fast bytes move, what a full disk does, what is measured. */
import type { SettingRow } from './setting.js';
import * as type from './value-types.js';

const moves = { scope: 'client', verbs: ['send', 'get', 'sync'] } as const;
const serve = { scope: 'server', verbs: ['serve'] } as const;

/** Of a client; they follow its other options of transfers. */
export const CLIENT_PACE_ROWS: readonly SettingRow[] = [
  {
    ...moves,
    flags: '--durability <level>',
    type: type.choice('none', 'file', 'dir'),
    defaultText: '`file`; for `send` what the server has set',
    help: 'what is on disk before success is reported',
    details:
      'For `send` of a file a wish: the server does no less than its `--least-durability`. Of directories the server decides.',
  },
  {
    ...moves,
    verbs: ['send', 'get', 'sync', 'bench'],
    flags: '--limit-rate <rate>',
    type: type.byteRate,
    peers: 'also',
    help: 'move no more than this many bytes a second, such as 500K or 50M',
    details: 'Powers of 1024, counted as they travel; from 1024 on.',
    defaultText: 'no limit',
  },
  {
    ...moves,
    verbs: ['send', 'get'],
    flags: '--stats',
    type: type.flag,
    default: false,
    help: 'measure where the time goes, and say what limits the transfer',
    details:
      'Of both ends: time in files, hashing, encryption and network, and what the kernel knows of the connection. With ' +
      '`--json` an object `stats` for each file. Directories are not measured.',
  },
  {
    ...moves,
    flags: '--space-timeout <seconds>',
    type: type.secondsOrNone,
    defaultText: '600',
    help: 'how long a full disk of this machine is waited for; 0 is not at all',
    details: 'The transfer goes on by itself once there is room. For `send` the server’s own setting counts.',
  },
];

/** Of a server. */
export const SERVER_PACE_ROWS: readonly SettingRow[] = [
  {
    ...serve,
    flags: '--durability <level>',
    type: type.choice('none', 'file', 'dir'),
    default: 'file',
    help: 'what of a stored file is on disk before its sender is told that it is complete',
  },
  {
    ...serve,
    flags: '--least-durability <level>',
    type: type.choice('none', 'file', 'dir'),
    default: 'none',
    help: 'the least of it that a client may ask for',
    details:
      'A client that asks for less gets this much; one that does not ask gets `--durability`, or this if it is more.',
  },
  {
    ...serve,
    flags: '--limit-rate <rate>',
    type: type.byteRate,
    defaultText: 'no limit',
    help: 'move no more than this many bytes a second in each direction, all clients together',
    details: 'Powers of 1024: 500K, 50M. Counted as they travel; from 1024 on.',
  },
  {
    ...serve,
    flags: '--space-timeout <seconds>',
    type: type.secondsOrNone,
    defaultText: '600',
    help: 'how long an upload waits when the disk is full; 0 is not at all',
    details: 'It goes on by itself once there is room. Each one that waits has a place among `--max-transfers`.',
  },
];
