/**
 * Where the user's ssh-agent listens when nobody says otherwise.
 */

/**
 * `SSH_AUTH_SOCK`; on Windows without it, the named pipe of the agent that comes with the system.
 *
 * @returns undefined where there is none; an empty variable says so, too.
 */
export function defaultAgentSocket(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const named = env['SSH_AUTH_SOCK'];
  if (named !== undefined) return named === '' ? undefined : named;
  return platform === 'win32' ? '\\\\.\\pipe\\openssh-ssh-agent' : undefined;
}
