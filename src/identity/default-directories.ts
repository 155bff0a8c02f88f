/**
 * Where files are kept when nobody says otherwise: the XDG base directories, `%APPDATA%` on Windows.
 */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The client's directory: `$XDG_CONFIG_HOME/e2eeftp`, else `~/.config/e2eeftp`; `%APPDATA%\e2eeftp` on Windows. */
export function clientDirectory(env: Environment = process.env): string {
  if (process.platform === 'win32') return join(env['APPDATA'] ?? join(homedir(), 'AppData', 'Roaming'), 'e2eeftp');
  return join(absolute(env['XDG_CONFIG_HOME']) ?? join(home(env), '.config'), 'e2eeftp');
}

/**
 * The server's data directory: `$XDG_DATA_HOME/e2eeftp` when that is set, `/var/lib/e2eeftp` for root, else
 * `~/.local/share/e2eeftp`; `%APPDATA%\e2eeftp\server` on Windows.
 */
export function serverDirectory(env: Environment = process.env): string {
  if (process.platform === 'win32') return join(clientDirectory(env), 'server');
  const data = absolute(env['XDG_DATA_HOME']);
  if (data !== undefined) return join(data, 'e2eeftp');
  if (process.getuid?.() === 0) return '/var/lib/e2eeftp';
  return join(home(env), '.local', 'share', 'e2eeftp');
}

/** The specification says: a relative path in such a variable is invalid and is to be ignored. */
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

function home(env: Environment): string {
  return absolute(env['HOME']) ?? homedir();
}
