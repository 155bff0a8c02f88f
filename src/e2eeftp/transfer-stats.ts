/**
 * Where the time of a transfer went on one side, as it is measured there and told to the other one.
 */
import type { NativeStats, NativeTcpInfo } from '../native.js';
import type { ControlMap, ControlValue } from './control-value.js';

/** Seconds of each stage, summed over the threads that moved the file. */
export interface StageSeconds {
  /** Reading the source file. */
  readonly fileRead: number;
  readonly hash: number;
  /** Encrypting. */
  readonly seal: number;
  /** Handing bytes to the kernel, with the wait for room there. */
  readonly socketWrite: number;
  /** Taking bytes from the kernel, with the wait for them. */
  readonly socketRead: number;
  /** Decrypting. */
  readonly open: number;
  /** Writing the target file. */
  readonly fileWrite: number;
  /** Waiting because of a rate limit of this side. */
  readonly rateLimit: number;
  /** Waiting for room on this side's disk. */
  readonly spaceWait: number;
  /** Processor time, which the other stages contain. */
  readonly cpu: number;
}

/** One TCP connection as the kernel of one side sees it. Times are seconds, sizes bytes. */
export interface ConnectionStats {
  readonly rtt: number;
  readonly minRtt: number;
  readonly retransmits: number;
  readonly segmentsOut: number;
  readonly segmentsIn: number;
  readonly congestionWindow: number;
  /** What the other side's window allowed at the last look; 0 where the kernel does not tell. */
  readonly peerWindow: number;
  /** Bytes a second that the network was last seen to deliver. */
  readonly deliveryRate: number;
  /** Time in which there was something to send; parts of it are the next two. */
  readonly busy: number;
  /** Time in which the other side's window was full. */
  readonly windowLimited: number;
  /** Time in which this side's send buffer was too small. */
  readonly bufferLimited: number;
  readonly segmentLen: number;
  readonly pathMtu: number;
  /** `cubic`, `bbr` …; empty when it can't be told. */
  readonly congestionControl: string;
}

/** What one side has measured. */
export interface SideStats {
  readonly stages: StageSeconds;
  /** None where the operating system tells nothing. */
  readonly connections: readonly ConnectionStats[];
}

const STAGES = [
  'fileRead',
  'hash',
  'seal',
  'socketWrite',
  'socketRead',
  'open',
  'fileWrite',
  'rateLimit',
  'spaceWait',
  'cpu',
] as const satisfies readonly (keyof StageSeconds)[];
const FIGURES = [
  'rtt',
  'minRtt',
  'retransmits',
  'segmentsOut',
  'segmentsIn',
  'congestionWindow',
  'peerWindow',
  'deliveryRate',
  'busy',
  'windowLimited',
  'bufferLimited',
  'segmentLen',
  'pathMtu',
] as const satisfies readonly (keyof ConnectionStats)[];

/** Connections that fit into one message. */
const MOST_TOLD = 16;
const LONGEST_NAME = 16;

/** The figures of a native transfer. */
export function sideStats(native: NativeStats): SideStats {
  const stages = Object.fromEntries(STAGES.map((name) => [name, native[name]])) as unknown as StageSeconds;
  return { stages, connections: native.connections.map(connectionStats) };
}

/** The figures of one connection. */
export function connectionStats(native: NativeTcpInfo): ConnectionStats {
  const figures = Object.fromEntries(FIGURES.map((name) => [name, native[name]]));
  return { ...figures, congestionControl: native.congestionControl } as unknown as ConnectionStats;
}

/** The member `stats` of a reply. */
export function encodeSideStats({ stages, connections }: SideStats): ControlMap {
  return {
    ...stages,
    connections: connections.slice(0, MOST_TOLD).map((connection) => ({ ...connection })),
  };
}

/** Reads such a member; `null` when it is left out or holds anything else than figures. Nothing but figures depends on it. */
export function readSideStats(value: ControlValue | undefined): SideStats | null {
  const map = asMap(value);
  const stages = map === null ? null : figuresOf(map, STAGES);
  const list = map?.['connections'];
  if (stages === null || !Array.isArray(list) || list.length > MOST_TOLD) return null;
  const connections: ConnectionStats[] = [];
  for (const item of list as readonly ControlValue[]) {
    const members = asMap(item);
    const figures = members === null ? null : figuresOf(members, FIGURES);
    const name = members?.['congestionControl'];
    if (figures === null || typeof name !== 'string' || !/^[\w.-]*$/.test(name) || name.length > LONGEST_NAME)
      return null;
    connections.push({ ...figures, congestionControl: name });
  }
  return { stages, connections };
}

function asMap(value: ControlValue | undefined): ControlMap | null {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
  return isMap ? (value as ControlMap) : null;
}

function figuresOf<T extends string>(map: ControlMap, names: readonly T[]): Record<T, number> | null {
  const figures = {} as Record<T, number>;
  for (const name of names) {
    const figure = Object.hasOwn(map, name) ? map[name] : undefined;
    if (typeof figure !== 'number' || !(figure >= 0)) return null;
    figures[name] = figure;
  }
  return figures;
}
