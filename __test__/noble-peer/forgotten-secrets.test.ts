/**
 * Secrets that nobody needs any more are gone from the memory of the real processes. This is the other part of forward
 * secrecy: who seizes a machine after a handshake, or after a session, finds nothing that opens an older recording.
 *
 * The second implementation is the other end, so the test knows the secrets to look for.
 */
import test from 'ava';
import { Sandbox, until } from '../cli/run.js';
import type { Established } from './handshake.js';
import { trafficKey } from './key-schedule.js';
import { NobleClient } from './noble-client.js';
import { nextRequest, NobleServer, sayReady } from './noble-server.js';
import { occurrences } from './process-memory.js';
import { SUITES, world } from './world.js';

/** What only the handshake needs. */
function handshakeOnly({ halves, shared, handshake }: Established): Record<string, Uint8Array> {
  return {
    'ML-KEM half': halves.mlKem,
    'X25519 half': halves.x25519,
    'X-Wing secret': shared,
    HS: handshake.handshake,
    MS: handshake.master,
    'c hs': handshake.client,
    's hs': handshake.server,
  };
}

const none = (names: Record<string, unknown>): Record<string, number> =>
  Object.fromEntries(Object.keys(names).map((name) => [name, 0]));

for (const [name, offer] of SUITES) {
  test(`${name}: a server has forgotten the handshake in the session, and the session after it`, async (t) => {
    const { server, options } = await world(t);
    const pid = server.run.child.pid ?? 0;
    const client = await NobleClient.connect({ ...options, offer });
    await client.send('file', new Uint8Array(300_000));
    await client.get('file');
    const { established } = client.session;
    const { application } = established;
    const session = {
      'c ap': application.client,
      's ap': application.server,
      // An expanded AES key begins with the key itself. ChaCha20 works on copies of its key that no caller can wipe.
      ...(offer.preferred === 1 ? { 'key of c ap': trafficKey(application.client) } : {}),
      ...(offer.preferred === 1 ? { 'key of s ap': trafficKey(application.server) } : {}),
    };
    // The search finds what is there: both traffic secrets are still needed, for the ratchet.
    const during = occurrences(pid, { ...handshakeOnly(established), ...session });
    t.like(during, none(handshakeOnly(established)));
    t.true((during['c ap'] ?? 0) > 0 && (during['s ap'] ?? 0) > 0, JSON.stringify(during));

    await client.close();
    await client.session.wire.ended();
    const isGone = (): boolean => Object.values(occurrences(pid, session)).every((count) => count === 0);
    await until(isGone, 'the secrets of the session to go');
    t.deepEqual(occurrences(pid, session), none(session));
  });

  test(`${name}: a client has forgotten the handshake while it waits for a reply`, async (t) => {
    const box = new Sandbox();
    t.teardown(() => box.dispose());
    await box.keygen();
    let isAsked = false;
    const server = await NobleServer.start(t, {
      offer,
      serve: async (session) => {
        await sayReady(session);
        await nextRequest(session);
        isAsked = true;
        await session.wire.ended();
      },
    });
    const run = box.start(['ls', '127.0.0.1:', ...server.at], { input: '' });
    await until(() => isAsked, 'the request');
    const { established } = server.sessions[0] ?? {};
    if (established === undefined) throw new Error('no session');
    const { application } = established;
    const found = occurrences(run.child.pid ?? 0, {
      ...handshakeOnly(established),
      'c ap': application.client,
    });
    t.like(found, none(handshakeOnly(established)));
    t.true((found['c ap'] ?? 0) > 0);
    run.kill('SIGKILL');
  });
}
