/**
 * Tells systemd about the state of the server (`Type=notify`).
 *
 * Node has no datagram sockets of the Unix kind, so the message is sent by the `systemd-notify` tool, which every
 * machine with systemd has. The unit needs `NotifyAccess=all`, because the sender is a child of the server.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** How long the tool may take. */
const TIMEOUT_MS = 5000;

/**
 * Sends one state; does nothing unless systemd asked for it (`NOTIFY_SOCKET`).
 * @throws Error when the tool is missing or fails.
 */
export async function notifySystemd(state: 'ready' | 'stopping', env: NodeJS.ProcessEnv): Promise<void> {
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return;
  const argument = state === 'ready' ? '--ready' : 'STOPPING=1';
  await promisify(execFile)('systemd-notify', [argument], { env, timeout: TIMEOUT_MS });
}
