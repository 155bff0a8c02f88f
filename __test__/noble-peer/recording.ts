/** What somebody on the path keeps of a connection, and what can be read of it later with which secrets. */
import { concat, ProtocolFault } from './byte-fields.js';
import { encodeMessage, type Message, openFlight } from './flight.js';
import { applicationSecrets, earlySecret, handshakeSecrets, Transcript } from './key-schedule.js';
import { type Inner, Opener, type Suite } from './record-layer.js';

/** The records of both directions, whole and in order. */
export interface Recording {
  fromClient: readonly Uint8Array[];
  fromServer: readonly Uint8Array[];
}

/** What a recording says to somebody who can read it. */
export interface Opened {
  login: Message[];
  fromClient: Inner[];
  fromServer: Inner[];
}

/** The parts of the hellos that an attack on the key exchange starts from. */
export function shares({ fromClient, fromServer }: Recording): {
  encapsulationKey: Uint8Array;
  ciphertext: Uint8Array;
} {
  const [m1, m3] = [part(fromClient, 0), part(fromServer, 0)];
  return { encapsulationKey: m1.slice(4 + 40, 4 + 40 + 1216), ciphertext: m3.slice(4 + 40, 4 + 40 + 1120) };
}

/**
 * Reads a recording with X-Wing's secret, and nothing else: neither identity key is a parameter.
 *
 * @throws ProtocolFault when the secret is another one.
 */
export function unlock(recording: Recording, shared: Uint8Array): Opened {
  const { fromClient, fromServer } = recording;
  const [m1, m3] = [part(fromClient, 0), part(fromServer, 0)];
  const suite = m3[6] as Suite;
  const transcript = new Transcript();
  transcript.add(m1);
  transcript.add(m3);
  const handshake = handshakeSecrets(earlySecret(), shared, transcript.hash);
  const login = [
    ...openFlight(suite, handshake.server, part(fromServer, 1)),
    ...openFlight(suite, handshake.client, part(fromClient, 1)),
  ];
  transcript.add(concat(...login.map(encodeMessage)));
  const application = applicationSecrets(handshake.master, transcript.hash);
  const read = (secret: Uint8Array, records: readonly Uint8Array[]): Inner[] => {
    const opener = new Opener(suite, secret);
    return records.slice(2).map((record) => opener.open(record));
  };
  return { login, fromClient: read(application.client, fromClient), fromServer: read(application.server, fromServer) };
}

function part(records: readonly Uint8Array[], index: number): Uint8Array {
  const found = records[index];
  if (found === undefined) throw new ProtocolFault('the recording is too short');
  return found;
}
