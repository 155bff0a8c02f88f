/**
 * The keys that an ssh-agent holds. Only those that can be used are seen: Ed25519, also in security keys.
 */
import { E2eeftpError } from '../errors.js';
import { listAgentKeys, native } from '../native.js';
import { Identity } from './identity.js';
import type { PublicKey } from './public-key.js';

/** Whether `source` names keys of the ssh-agent: `agent`, `agent:FINGERPRINT` or `agent:COMMENT`. */
export function namesAgent(source: string): boolean {
  return source === 'agent' || source.startsWith('agent:');
}

/**
 * The identities of the agent that `source` names, in the agent's order.
 *
 * @param socket path of the agent's socket; `undefined` when there is no agent.
 * @throws E2eeftpError `E2EEFTP_AGENT` when there is no agent or it has none of them.
 */
export async function agentIdentities(source: string, socket: string | undefined): Promise<readonly Identity[]> {
  const wanted = source === 'agent' ? null : source.slice('agent:'.length);
  const path = requireSocket(socket, source);
  const keys = await native(() => listAgentKeys(path));
  const found = keys.filter(({ key, comment }) => wanted === null || key.fingerprint === wanted || comment === wanted);
  if (found.length > 0) return found.map(({ key }) => Identity.fromAgent(path, key));
  const what = wanted === null ? 'no Ed25519 key' : `no Ed25519 key that is called ${wanted}`;
  throw new E2eeftpError('E2EEFTP_AGENT', `the ssh-agent has ${what}`, {
    hint: 'ssh-add -l lists what it has; ssh-add FILE adds a key',
  });
}

/**
 * The identity of `key` in the agent.
 *
 * @throws E2eeftpError `E2EEFTP_AGENT` when there is no agent or it has not this key.
 */
export async function agentIdentity(key: PublicKey, file: string, socket: string | undefined): Promise<Identity> {
  const path = requireSocket(socket, file);
  if (await agentHolds(key, path)) return Identity.fromAgent(path, key);
  throw new E2eeftpError('E2EEFTP_AGENT', `the ssh-agent has not the private key of ${file}`, {
    hint: 'add it with ssh-add, or name the file of the private key',
  });
}

/** Whether the agent behind `socket` has the private half of `key`. */
export async function agentHolds(key: PublicKey, socket: string): Promise<boolean> {
  const keys = await native(() => listAgentKeys(socket));
  return keys.some((entry) => entry.key.fingerprint === key.fingerprint);
}

function requireSocket(socket: string | undefined, source: string): string {
  if (socket !== undefined && socket !== '') return socket;
  throw new E2eeftpError('E2EEFTP_AGENT', `${source}: there is no ssh-agent`, {
    hint: 'start one and set SSH_AUTH_SOCK, or name the file of a private key',
  });
}
