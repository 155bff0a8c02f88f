/**
 * What limits a transfer, from the figures of both sides. A pure function: the same figures give the same answer.
 */
import type { ConnectionStats, SideStats, StageSeconds } from '../transfer-stats.js';

/** The figures of one transfer. */
export interface TransferFigures {
  /** As the client sees it. */
  readonly direction: 'up' | 'down';
  readonly bytes: number;
  readonly seconds: number;
  readonly local: SideStats;
  /** `null` when the server tells nothing. */
  readonly peer: SideStats | null;
}

/** What a transfer waited for most. */
export type LimitingFactor =
  | 'source-disk'
  | 'target-disk'
  | 'space'
  | 'rate-limit'
  | 'this-cpu'
  | 'peer-cpu'
  | 'peer'
  | 'receive-window'
  | 'send-buffer'
  | 'loss'
  | 'network'
  | 'unknown';

/** The answer, with one sentence for people: what it is and what to change. */
export interface Limit {
  readonly factor: LimitingFactor;
  readonly sentence: string;
}

/** Shorter transfers say more about their start than about the path. */
const SHORTEST_SECONDS = 0.2;
/** A side that waits for the socket for less than this part of its time holds the transfer up itself. */
const WAITING = 0.35;
/** From this part of a thread's time on its processor is the limit. */
const CPU_BOUND = 0.8;
/** A receiver that waits for less than this part of its time has kept its window shut by itself. */
const STARVED = 0.7;
/** No real path has packets of this length, in bytes: both ends are on one machine. */
const LOOPBACK_MTU = 16_384;
/** From this part on a wait that somebody asked for is the limit. */
const HELD_UP = 0.25;
/** From this part of the sending time on the kernel's own account decides. */
const KERNEL_SAYS = 0.4;
/** From this part of the segments on loss slows a congestion control that goes by it. */
const LOSSY = 0.0005;
const BY_LOSS = /^(cubic|reno|htcp|bic|westwood|scalable|highspeed)$/;

/** Finds out. */
export function limitingFactor(figures: TransferFigures): Limit {
  const { direction, bytes, seconds, local, peer } = figures;
  const sender = direction === 'up' ? local : peer;
  const receiver = direction === 'up' ? peer : local;
  if (seconds < SHORTEST_SECONDS || total(local.stages) <= 0) {
    return limit(
      'unknown',
      `${round(seconds * 1000)} ms are too short to tell what limits it; try it with more bytes.`,
    );
  }
  const where = (side: SideStats): 'this side' | 'the peer' => (side === local ? 'this side' : 'the peer');
  return (
    heldUp(sender, receiver, where) ??
    endLimit(sender, 'sender', where) ??
    endLimit(receiver, 'receiver', where) ??
    shutWindow(sender, receiver, where) ??
    pathLimit(sender, receiver, { rate: bytes / seconds, isPeerKnown: peer !== null, direction })
  );
}

type Where = (side: SideStats) => 'this side' | 'the peer';

function heldUp(sender: SideStats | null, receiver: SideStats | null, where: Where): Limit | null {
  for (const side of [sender, receiver]) {
    if (side === null) continue;
    const whose = where(side) === 'this side' ? 'of this side' : 'of the peer';
    if (share(side.stages, 'rateLimit') >= HELD_UP) {
      return limit('rate-limit', `The rate limit ${whose} holds it back: raise --limit-rate there, or leave it out.`);
    }
    if (share(side.stages, 'spaceWait') >= HELD_UP) {
      return limit('space', `The disk ${whose} was full: make room there.`);
    }
  }
  return null;
}

/** Whether one end is busy with its own work. */
function endLimit(
  side: SideStats | null,
  role: 'sender' | 'receiver',
  where: Where,
  waiting: number = WAITING,
): Limit | null {
  if (side === null || total(side.stages) <= 0) return null;
  const { stages } = side;
  const isHere = where(side) === 'this side';
  const socket = share(stages, role === 'sender' ? 'socketWrite' : 'socketRead');
  const disk = share(stages, role === 'sender' ? 'fileRead' : 'fileWrite');
  const crypto = share(stages, 'hash') + share(stages, role === 'sender' ? 'seal' : 'open');
  const isCpuBound = stages.cpu / total(stages) >= CPU_BOUND;
  if (socket >= waiting && !isCpuBound) return null;
  // A disk that is waited for costs time and no processor; one that is read from memory costs processor.
  if (disk >= crypto && !isCpuBound) {
    const name = role === 'sender' ? 'source' : 'target';
    const verb = role === 'sender' ? 'reading' : 'writing';
    const advice =
      role === 'sender'
        ? 'a faster disk is what helps'
        : 'a faster disk helps, or --durability none where that is enough';
    return limit(
      role === 'sender' ? 'source-disk' : 'target-disk',
      `The ${name} disk at ${where(side)} limits it (${verb} takes ${percent(disk)} of the time): ${advice}.`,
    );
  }
  const factor = isHere ? 'this-cpu' : 'peer-cpu';
  const whose = isHere ? 'This processor' : "The peer's processor";
  return limit(
    factor,
    `${whose} limits it (hashing and encryption take ${percent(crypto)} of the time): use more connections (-j), or a faster core with AES instructions.`,
  );
}

/** A window that was full because the receiver was busy is no matter of buffers. */
function shutWindow(sender: SideStats | null, receiver: SideStats | null, where: Where): Limit | null {
  const tcp = busiest(sender?.connections ?? []);
  if (tcp === null || tcp.busy <= 0 || tcp.windowLimited / tcp.busy < KERNEL_SAYS) return null;
  return endLimit(receiver, 'receiver', where, STARVED);
}

interface Path {
  readonly rate: number;
  readonly isPeerKnown: boolean;
  readonly direction: 'up' | 'down';
}

/** Both ends wait for the network, as far as is known. */
function pathLimit(sender: SideStats | null, receiver: SideStats | null, path: Path): Limit {
  const tcp = busiest(sender?.connections ?? []);
  const rtt = tcp?.rtt ?? busiest(receiver?.connections ?? [])?.rtt ?? 0;
  const trip = rtt > 0 ? `, ${milliseconds(rtt)} round trip` : '';
  const senderName = path.direction === 'up' ? 'this side' : 'the peer';
  const receiverName = path.direction === 'up' ? 'the peer' : 'this side';
  if (tcp !== null && tcp.busy > 0) {
    const needed = Math.ceil(2 * path.rate * Math.max(rtt, 0.001));
    if (tcp.windowLimited / tcp.busy >= KERNEL_SAYS) {
      if (path.direction === 'up' && !path.isPeerKnown) {
        return limit(
          'peer',
          `The peer takes the bytes no faster${trip}: look at its disk, its processor and its net.ipv4.tcp_rmem.`,
        );
      }
      return limit(
        'receive-window',
        `The receive window of ${receiverName} limits it${trip}: raise the maximum of net.ipv4.tcp_rmem there to more than ${needed} bytes, or use more connections (-j).`,
      );
    }
    if (tcp.bufferLimited / tcp.busy >= KERNEL_SAYS) {
      return limit(
        'send-buffer',
        `The send buffer of ${senderName} limits it${trip}: raise the maximum of net.ipv4.tcp_wmem there to more than ${needed} bytes, or use more connections (-j).`,
      );
    }
    const loss = tcp.segmentsOut > 0 ? tcp.retransmits / tcp.segmentsOut : 0;
    if (loss >= LOSSY && BY_LOSS.test(tcp.congestionControl)) {
      return limit(
        'loss',
        `Loss limits it: ${percent(loss, 2)} of the segments were sent again, and ${tcp.congestionControl} slows down for each${trip}: use more connections (-j), or bbr at ${senderName}.`,
      );
    }
  }
  if (tcp !== null && tcp.pathMtu >= LOOPBACK_MTU) {
    return limit('this-cpu', 'Both ends are on this machine and share its processors and memory: that is the limit.');
  }
  if (tcp === null && path.direction === 'down' && !path.isPeerKnown) {
    return limit('peer', `The peer or the network limits it${trip}: the peer tells no figures.`);
  }
  return limit(
    'network',
    `The network limits it${trip}: it carries no more than ${megabytes(path.rate)} MB/s in this direction; both ends wait for it.`,
  );
}

/** The connection that carried most. */
function busiest(connections: readonly ConnectionStats[]): ConnectionStats | null {
  return connections.reduce<ConnectionStats | null>(
    (most, one) =>
      most === null || one.segmentsOut + one.segmentsIn > most.segmentsOut + most.segmentsIn ? one : most,
    null,
  );
}

/** The time of all stages; `cpu` is a part of them. */
function total({ cpu: _, ...stages }: StageSeconds): number {
  return Object.values(stages).reduce((sum, seconds) => sum + seconds, 0);
}

function share(stages: StageSeconds, stage: keyof StageSeconds): number {
  const all = total(stages);
  return all > 0 ? stages[stage] / all : 0;
}

function limit(factor: LimitingFactor, sentence: string): Limit {
  return { factor, sentence };
}

const round = (value: number): string => value.toFixed(0);
const percent = (part: number, digits = 0): string => `${(part * 100).toFixed(digits)} %`;
const milliseconds = (seconds: number): string => `${Number((seconds * 1000).toPrecision(2))} ms`;
const megabytes = (rate: number): string => (rate / 1e6).toPrecision(3);
