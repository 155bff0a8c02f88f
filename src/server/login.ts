/**
 * From a peer that has proved its key to a session, or to the refusal that every peer gets.
 */
import { encodeControl } from '../e2eeftp/control-codec.js';
import type { NameReservations } from '../e2eeftp/name-reservation.js';
import type { RunningUploads } from '../e2eeftp/running-uploads.js';
import { PROTOCOL_VERSION, SOFTWARE, STATUS_OK } from '../e2eeftp/status.js';
import type { Peer } from '../identity/peer.js';
import { native, nativeSync } from '../native.js';
import type { NativeIncoming, NativeStorage } from '../native.js';
import type { Grant } from '../storage/grant.js';
import { openGrant } from './admission.js';
import type { Admission } from './admission.js';
import type { EventHub } from './event-hub.js';
import type { LoginRefusal } from './events.js';
import type { Logger } from './logger.js';
import { Session } from './session.js';

/** What a login needs of the server. */
export interface LoginParts {
  readonly admission: Admission;
  readonly root: NativeStorage;
  readonly reservations: NameReservations;
  readonly uploads: RunningUploads;
  readonly events: EventHub;
  readonly logger: Logger;
  /** Whether nobody is to be let in any more. */
  readonly isClosing: () => boolean;
  /** Number for a new session. */
  readonly nextId: () => number;
}

/** Lets a peer in or turns it away, and emits which. Resolves with its session, or `null`; never throws. */
export async function logIn(incoming: NativeIncoming, parts: LoginParts): Promise<Session | null> {
  const { admission, root, reservations, uploads, events, logger } = parts;
  const key = nativeSync(() => incoming.clientKey);
  const info = { host: incoming.peerHost, port: incoming.peerPort };
  const peer: Peer = { ...info, fingerprint: key.fingerprint, key: key.openssh };
  const refused = async (reason: LoginRefusal, user: string | null = null): Promise<null> => {
    logger.info({ ...peer, reason }, 'refused a client');
    await turnAway(incoming, peer, logger);
    tellLogin(events, peer, user, reason);
    return null;
  };
  try {
    const judged = await admission.judge(key, info);
    if ('refusal' in judged) return await refused(judged.refusal);
    const { grant } = judged;
    if (parts.isClosing()) return await refused('closing', grant.user);
    if (!(await comesFrom(incoming, grant))) return await refused('address', grant.user);
    const opened = await openGrant(root, grant);
    const channel = await native(() => incoming.accept(readyMessage())).catch((error: unknown) => {
      logger.debug({ ...peer, err: error }, 'a client left during its login');
      return null;
    });
    tellLogin(events, peer, grant.user, channel === null ? 'left' : null);
    if (channel === null) return null;
    return new Session(parts.nextId(), { channel, grant, peer, ...opened, reservations, uploads });
  } catch (error) {
    events.error(error, 'cannot decide about a client, which was refused', peer);
    return refused('error');
  }
}

/** The native layer holds a peer's address against its grant; it has turned away whoever is none of the networks. */
async function comesFrom(incoming: NativeIncoming, { from }: Grant): Promise<boolean> {
  return from === null || native(() => incoming.onlyFrom([...from]));
}

async function turnAway(incoming: NativeIncoming, peer: Peer, logger: Logger): Promise<void> {
  await native(() => incoming.refuse()).catch((error: unknown) => {
    logger.debug({ ...peer, err: error }, 'a client left during its login, or was turned away before');
  });
}

/** Emits what became of a client; `reason` is `null` when it was let in. */
export function tellLogin(events: EventHub, peer: Peer, user: string | null, reason: LoginRefusal | null): void {
  const { host, port, fingerprint } = peer;
  events.emit('login', { accepted: reason === null, reason, user: user ?? fingerprint, fingerprint, host, port });
}

function readyMessage(): Buffer {
  return encodeControl({
    id: 0,
    status: STATUS_OK,
    text: 'ready',
    software: SOFTWARE,
    protocol: PROTOCOL_VERSION,
  });
}
