/** What limits a transfer: a table of figures and the answers to them. */
import test from 'ava';
import { limitingFactor } from '../../dist/index.js';
import type { ConnectionStats, LimitingFactor, SideStats, StageSeconds } from '../../dist/index.js';

const IDLE: StageSeconds = {
  fileRead: 0,
  hash: 0,
  seal: 0,
  socketWrite: 0,
  socketRead: 0,
  open: 0,
  fileWrite: 0,
  rateLimit: 0,
  spaceWait: 0,
  cpu: 0,
};
const PATH: ConnectionStats = {
  rtt: 0.1,
  minRtt: 0.1,
  retransmits: 0,
  segmentsOut: 10_000,
  segmentsIn: 5,
  congestionWindow: 1e6,
  peerWindow: 1e6,
  deliveryRate: 1e7,
  busy: 10,
  windowLimited: 0,
  bufferLimited: 0,
  segmentLen: 1448,
  pathMtu: 1500,
  congestionControl: 'cubic',
};

const side = (stages: Partial<StageSeconds>, connection?: Partial<ConnectionStats>): SideStats => ({
  stages: { ...IDLE, ...stages },
  connections: connection === undefined ? [] : [{ ...PATH, ...connection }],
});

const SENDING = { fileRead: 0.5, hash: 0.3, seal: 0.2, socketWrite: 9, cpu: 1.5 };
const STARVED = { socketRead: 9, open: 0.3, hash: 0.3, fileWrite: 0.4, cpu: 1 };

interface Case {
  readonly name: string;
  readonly sender: SideStats | null;
  readonly receiver: SideStats | null;
  readonly factor: LimitingFactor;
  /** What the sentence must say for an upload. */
  readonly says: RegExp;
  /** For a download, where it differs. */
  readonly down?: LimitingFactor;
}

const CASES: readonly Case[] = [
  {
    name: 'a slow source disk',
    sender: side({ fileRead: 8, hash: 0.5, seal: 0.5, socketWrite: 1, cpu: 1.5 }),
    receiver: side(STARVED),
    factor: 'source-disk',
    says: /^The source disk at this side .*80 %.*faster disk/,
  },
  {
    name: 'a sender that encrypts all the time',
    sender: side({ fileRead: 1, hash: 4, seal: 4, socketWrite: 1, cpu: 9.5 }),
    receiver: side(STARVED),
    factor: 'this-cpu',
    down: 'peer-cpu',
    says: /^This processor .*80 %.*-j/,
  },
  {
    name: 'a sender whose processor is busy in the network stack',
    sender: side({ fileRead: 1, hash: 1, seal: 1, socketWrite: 7, cpu: 9 }),
    receiver: side(STARVED),
    factor: 'this-cpu',
    down: 'peer-cpu',
    says: /^This processor/,
  },
  {
    name: 'a slow target disk',
    sender: side(SENDING, { windowLimited: 8 }),
    receiver: side({ socketRead: 1, open: 0.5, hash: 0.5, fileWrite: 8, cpu: 2 }),
    factor: 'target-disk',
    says: /^The target disk at the peer .*80 %.*--durability/,
  },
  {
    name: 'a target disk that keeps the window shut half of the time',
    sender: side(SENDING, { windowLimited: 8 }),
    receiver: side({ socketRead: 5, open: 0.5, hash: 0.5, fileWrite: 4, cpu: 2 }),
    factor: 'target-disk',
    says: /^The target disk at the peer/,
  },
  {
    name: 'a receiver that decrypts all the time',
    sender: side(SENDING, { windowLimited: 8 }),
    receiver: side({ socketRead: 1, open: 4, hash: 4, fileWrite: 1, cpu: 9.5 }),
    factor: 'peer-cpu',
    down: 'this-cpu',
    says: /^The peer's processor/,
  },
  {
    name: 'a rate limit',
    sender: side({ ...SENDING, rateLimit: 8 }),
    receiver: side(STARVED),
    factor: 'rate-limit',
    says: /of this side.*--limit-rate/,
  },
  {
    name: 'a rate limit of the receiver',
    sender: side(SENDING),
    receiver: side({ ...STARVED, rateLimit: 8 }),
    factor: 'rate-limit',
    says: /of the peer.*--limit-rate/,
  },
  {
    name: 'a full disk',
    sender: side(SENDING),
    receiver: side({ ...STARVED, spaceWait: 20 }),
    factor: 'space',
    says: /^The disk of the peer was full: make room/,
  },
  {
    name: 'a receive window that is too small',
    sender: side(SENDING, { windowLimited: 8 }),
    receiver: side(STARVED),
    factor: 'receive-window',
    says: /window of the peer .*100 ms.*tcp_rmem.*more than 2000000 bytes/,
  },
  {
    name: 'a send buffer that is too small',
    sender: side(SENDING, { bufferLimited: 8 }),
    receiver: side(STARVED),
    factor: 'send-buffer',
    says: /buffer of this side .*tcp_wmem/,
  },
  {
    name: 'loss, to a congestion control that minds',
    sender: side(SENDING, { retransmits: 10 }),
    receiver: side(STARVED),
    factor: 'loss',
    says: /0\.10 % .*cubic.*-j.*bbr at this side/,
  },
  {
    name: 'loss, to one that does not',
    sender: side(SENDING, { retransmits: 10, congestionControl: 'bbr' }),
    receiver: side(STARVED),
    factor: 'network',
    says: /carries no more than 10\.0 MB\/s/,
  },
  {
    name: 'a full line',
    sender: side(SENDING, {}),
    receiver: side(STARVED),
    factor: 'network',
    says: /^The network limits it, 100 ms/,
  },
  {
    name: 'one machine',
    sender: side(SENDING, { pathMtu: 65_535 }),
    receiver: side(STARVED),
    factor: 'this-cpu',
    says: /on this machine/,
  },
  {
    name: 'no kernel figures',
    sender: side(SENDING),
    receiver: side(STARVED),
    factor: 'network',
    says: /^The network/,
  },
];

for (const { name, sender, receiver, factor, says, down } of CASES) {
  test(name, (t) => {
    const figures = { bytes: 1e8, seconds: 10 };
    const up = limitingFactor({ ...figures, direction: 'up', local: sender as SideStats, peer: receiver });
    t.is(up.factor, factor, up.sentence);
    t.regex(up.sentence, says);
    t.regex(up.sentence, /^[^.]*(?:\.\S[^.]*)*\.$/, 'one sentence');
    const other = limitingFactor({ ...figures, direction: 'down', local: receiver as SideStats, peer: sender });
    t.is(other.factor, down ?? factor, other.sentence);
  });
}

test('a server that tells nothing', (t) => {
  const figures = { bytes: 1e8, seconds: 10, peer: null };
  const up = (connection: Partial<ConnectionStats>): LimitingFactor =>
    limitingFactor({ ...figures, direction: 'up', local: side(SENDING, connection) }).factor;
  t.is(up({ windowLimited: 8 }), 'peer', 'its disk, its processor or its window');
  t.is(up({ retransmits: 100 }), 'loss');
  t.is(up({}), 'network');
  t.is(limitingFactor({ ...figures, direction: 'down', local: side(STARVED) }).factor, 'peer');
});

test('what is too short to tell', (t) => {
  const short = { direction: 'up', bytes: 1000, peer: null } as const;
  t.is(limitingFactor({ ...short, seconds: 0.01, local: side(SENDING) }).factor, 'unknown');
  t.is(limitingFactor({ ...short, seconds: 5, local: side({}) }).factor, 'unknown');
});
