/** `e2eeftp trust`: remembers a server's key, and shows, hashes or forgets what is remembered. */
import type { Command, OptionValues } from 'commander';
import {
  displayName,
  E2eeftpError,
  fetchServerKey,
  isFingerprint,
  type KnownServer,
  KnownServers,
  looksLikeFingerprint,
  type PublicKey,
  serverName,
} from '../../index.js';
import { parsePeer } from '../address.js';
import type { CliContext, Verb } from '../context.js';
import { confirmServerKey } from '../first-contact.js';
import { endpoint, knownServersFile } from '../open-client.js';
import { readPublicKey } from '../public-key-argument.js';

interface Server {
  host: string;
  port: number;
  /** As known_servers names it. */
  name: string;
}

async function fetchKey(context: CliContext, server: Server): Promise<PublicKey> {
  const { globals, signal } = context;
  const timeoutMs = globals.timeout === undefined ? {} : { timeoutMs: globals.timeout * 1000 };
  const key = await fetchServerKey({ host: server.host, port: server.port, signal, ...timeoutMs });
  context.alive();
  return key;
}

/** The key behind a fingerprint is with the server only. */
async function fetchKeyWithFingerprint(context: CliContext, server: Server, fingerprint: string): Promise<PublicKey> {
  if (!isFingerprint(fingerprint)) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a fingerprint is SHA256: and 43 characters of base64');
  }
  const key = await fetchKey(context, server);
  if (key.fingerprint === fingerprint) return key;
  throw new E2eeftpError(
    'E2EEFTP_SERVER_KEY_CHANGED',
    `${server.name} has another key: ${key.fingerprint}, not ${fingerprint}`,
    { hint: 'someone may be in between, or the fingerprint is of another server; nothing was changed' },
  );
}

/** Without a key: show what the server has, and ask. A changed key is never a question. */
async function fetchKeyAndAsk(context: CliContext, server: Server, known: KnownServers): Promise<PublicKey> {
  const key = await fetchKey(context, server);
  const { result, entries } = await known.lookup(server.host, server.port, key);
  if (result === 'match') return key;
  const { fingerprint } = key;
  if (result === 'changed') {
    const before = entries.map((entry) => entry.key.fingerprint).join(', ');
    throw new E2eeftpError(
      'E2EEFTP_SERVER_KEY_CHANGED',
      `the key of ${server.name} has changed: known is ${before}, now it shows ${fingerprint}`,
      { hint: `only if its operator confirms the new one: e2eeftp trust ${server.name} ${fingerprint}` },
    );
  }
  if (await confirmServerKey(context, { host: server.host, port: server.port, fingerprint, key })) return key;
  throw new E2eeftpError('E2EEFTP_SERVER_KEY_UNKNOWN', `${server.name} is not trusted; its key is ${fingerprint}`, {
    hint: `compare it with what its operator tells you, then: e2eeftp trust ${server.name} ${fingerprint}`,
  });
}

function list(context: CliContext, entries: readonly KnownServer[]): void {
  const { output } = context;
  for (const { host, port, name, key, comment, line } of entries) {
    const { fingerprint } = key;
    if (output.json) {
      const result = { action: 'listed', host, port, fingerprint, publicKey: key.openssh, comment, line };
      output.event({ type: 'result', verb: 'trust', result });
    } else {
      const shown = host === null || port === null ? name : serverName(host, port);
      output.data(displayName(`${shown} ${fingerprint}${comment === '' ? '' : ` ${comment}`}`));
    }
  }
}

async function remove(context: CliContext, known: KnownServers, server: Server): Promise<void> {
  const { output } = context;
  const removed = await known.remove(server.host, server.port);
  if (removed === 0) throw new E2eeftpError('E2EEFTP_NOT_FOUND', `${server.name} is not in ${known.path}`);
  if (output.json) {
    const { host, port } = server;
    output.event({
      type: 'result',
      verb: 'trust',
      result: { action: 'removed', host, port, removed, file: known.path },
    });
  } else output.note(`${displayName(server.name)} is no longer trusted (${displayName(known.path)})`);
}

async function hashAll(context: CliContext, known: KnownServers): Promise<void> {
  const { output } = context;
  const hashed = await known.hashNames();
  if (output.json) {
    output.event({ type: 'result', verb: 'trust', result: { action: 'hashed', hashed, file: known.path } });
  } else output.note(`${hashed} ${hashed === 1 ? 'name' : 'names'} hashed in ${displayName(known.path)}`);
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { env, globals } = context;
  const known = new KnownServers(knownServersFile(env), { hash: globals.hashKnownServers });
  const [peer, ...rest] = operands;
  const modes = ['list', 'remove', 'hashAll'].filter((mode) => options[mode] === true);
  if (
    modes.length > 1 ||
    (modes.length > 0 && rest.length > 0) ||
    (options['hashAll'] === true && peer !== undefined)
  ) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', '--list, --remove and --hash-all stand alone, without a key');
  }
  if (options['hashAll'] === true) return hashAll(context, known);
  if (peer === undefined) {
    if (options['list'] === true) return list(context, await known.entries());
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'name the server');
  }
  const { host, port } = endpoint(context, parsePeer(peer));
  const server: Server = { host, port, name: serverName(host, port) };
  if (options['list'] === true) return list(context, await known.find(host, port));
  if (options['remove'] === true) return remove(context, known, server);
  return trust(context, known, server, rest);
}

async function trust(context: CliContext, known: KnownServers, server: Server, rest: string[]): Promise<void> {
  const { output } = context;
  const { host, port } = server;
  const given = rest.length > 0 ? rest.join(' ') : context.globals.serverKey;
  let key: PublicKey;
  if (given === undefined) key = await fetchKeyAndAsk(context, server, known);
  else if (looksLikeFingerprint(given)) key = await fetchKeyWithFingerprint(context, server, given);
  else ({ key } = await readPublicKey(given));
  const { result, entries } = await known.lookup(host, port, key);
  if (result === 'changed') await known.replace(host, port, key);
  else await known.add(host, port, key);
  const { fingerprint } = key;
  const action = result === 'match' ? 'known' : result === 'changed' ? 'replaced' : 'added';
  const replaced = result === 'changed' ? entries.map((entry) => entry.key.fingerprint) : [];
  if (output.json) {
    output.event({
      type: 'result',
      verb: 'trust',
      result: { action, host, port, fingerprint, replaced, file: known.path },
    });
    return;
  }
  const name = displayName(server.name);
  if (action === 'known') output.note(`${name} is trusted already: ${fingerprint}`);
  else output.note(`${name} is trusted from now on: ${fingerprint} (${displayName(known.path)})`);
  if (replaced.length > 0) output.note(`This replaces ${replaced.join(', ')}`);
}

export const verb: Verb = {
  examples: [
    'e2eeftp trust files.example.org SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
    'e2eeftp trust files.example.org:6001 ./known_server.pub',
  ],
  configure(command: Command): void {
    command
      .argument('[peer]', 'a server, with :PORT if it is not the default')
      .argument('[key|fingerprint...]', 'what its operator told you: a key, a file that holds it, or a fingerprint')
      .option('--list', 'show what is remembered, of one server or of all')
      .option('--remove', 'forget the server')
      .option('--hash-all', 'replace every name in the file by its hash');
  },
  run,
};
