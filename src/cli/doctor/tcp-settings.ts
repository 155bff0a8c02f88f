/** The operating system's settings for TCP, and what they allow on a path. Read only: this product never sets them. */
import { readFile } from 'node:fs/promises';
import { formatBytes, formatRate } from '../human-units.js';
import { type Check, ok, warn } from './check.js';

/** What the system has set. */
export interface TcpSettings {
  /** `cubic`, `bbr` … */
  readonly congestionControl: string;
  /** Congestion controls that any program may choose. */
  readonly available: readonly string[];
  /** Largest receive buffer that the system gives by itself, bytes. */
  readonly receiveMax: number;
  /** Largest send buffer, likewise. */
  readonly sendMax: number;
  /** Whether receive buffers grow by themselves. */
  readonly growsReceive: boolean;
}

/** The path they are judged for. */
export interface TcpPath {
  /** Seconds. */
  readonly rtt: number;
  /** Whether that was measured. */
  readonly isMeasured: boolean;
}

/** The path that is assumed when no server is asked: far away. */
export const FAR: TcpPath = { rtt: 0.1, isMeasured: false };
/** The line that settings should be good for, in bytes a second: 1 Gbit/s. */
const WANTED_RATE = 125e6;
/** Half of a buffer holds content, the rest is the kernel's overhead. */
const USABLE = 0.5;
/** Below this round trip loss is made good too fast to matter. */
const SHORT_RTT = 0.02;
const BY_LOSS: ReadonlySet<string> = new Set(['cubic', 'reno']);

const FILES = {
  congestionControl: 'tcp_congestion_control',
  available: 'tcp_allowed_congestion_control',
  receive: 'tcp_rmem',
  send: 'tcp_wmem',
  grows: 'tcp_moderate_rcvbuf',
} as const;

/** Reads them; `null` where the system has none to read. */
export async function readTcpSettings(directory = '/proc/sys/net/ipv4'): Promise<TcpSettings | null> {
  try {
    const read = async (name: keyof typeof FILES): Promise<string> =>
      (await readFile(`${directory}/${FILES[name]}`, 'utf8')).trim();
    const most = async (name: 'receive' | 'send'): Promise<number> => Number((await read(name)).split(/\s+/)[2]);
    return {
      congestionControl: await read('congestionControl'),
      available: (await read('available')).split(/\s+/),
      receiveMax: await most('receive'),
      sendMax: await most('send'),
      growsReceive: (await read('grows')) === '1',
    };
  } catch {
    return null; // Not Linux, or a container that hides them: then there is nothing to judge.
  }
}

/** What the settings mean on the path. */
export function judgeTcp(settings: TcpSettings | null, path: TcpPath): Check[] {
  if (settings === null) return [ok('tcp', 'the system’s settings can’t be read here')];
  return [
    judgeBuffer('tcp receive', 'net.ipv4.tcp_rmem', settings.receiveMax, settings.growsReceive, path),
    judgeBuffer('tcp send', 'net.ipv4.tcp_wmem', settings.sendMax, true, path),
    judgeCongestionControl(settings, path),
  ];
}

function describe({ rtt, isMeasured }: TcpPath): string {
  const time = `${(rtt * 1000).toPrecision(3)} ms`;
  return isMeasured ? `the ${time} to this server` : `a round trip of ${time}`;
}

function judgeBuffer(name: string, setting: string, most: number, grows: boolean, path: TcpPath): Check {
  if (!grows) {
    return warn(name, 'receive buffers do not grow by themselves', 'sysctl -w net.ipv4.tcp_moderate_rcvbuf=1');
  }
  const reachable = (most * USABLE) / Math.max(path.rtt, 1e-6);
  const text = `buffers up to ${formatBytes(most)} carry ${formatRate(reachable)} over ${describe(path)}`;
  if (reachable >= WANTED_RATE) return ok(name, text);
  const needed = Math.ceil((WANTED_RATE * path.rtt) / USABLE);
  return warn(
    name,
    `${text} on one connection`,
    `for 1 Gbit/s raise the third number of ${setting} to ${needed}, at both ends; or use more connections (-j)`,
  );
}

function judgeCongestionControl({ congestionControl, available }: TcpSettings, path: TcpPath): Check {
  const name = 'tcp control';
  if (!BY_LOSS.has(congestionControl) || path.rtt < SHORT_RTT) return ok(name, congestionControl);
  const how = available.includes('bbr') ? '' : 'modprobe tcp_bbr; ';
  return warn(
    name,
    `${congestionControl} slows down for each lost packet, which costs much over ${describe(path)}`,
    `if there is loss: ${how}sysctl -w net.ipv4.tcp_congestion_control=bbr at the side that sends; or use more connections (-j)`,
  );
}
