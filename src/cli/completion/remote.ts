/** Peers, and what is on them, for completion. Everything here may take a moment and may fail; nobody is asked. */
import type { Command } from 'commander';
import { KnownServers, serverName } from '../../index.js';
import { parseAddress } from '../address.js';
import type { CliContext } from '../context.js';
import { resolveGlobalOptions } from '../global-options.js';
import { knownServersFile, withClient } from '../open-client.js';
import { Output } from '../output.js';
import { loadSettings } from '../settings/load-settings.js';
import type { Settings } from '../settings/settings.js';
import { neverAsk } from '../terminal-question.js';
import type { Candidate } from './complete.js';

/** How long a server may take, in milliseconds: a person waits at the keyboard. */
const PATIENCE_MS = 2000;
/** Most entries of a directory that are looked at, and most that are offered. */
const MOST_ENTRIES = 20_000;
const MOST_CANDIDATES = 1000;

async function settingsOf(command: Command, env: NodeJS.ProcessEnv): Promise<Settings> {
  return loadSettings(command, env, 'client', () => undefined);
}

async function knownServers(env: NodeJS.ProcessEnv): Promise<{ host: string; port: number }[]> {
  // A file with a mistake in it has no servers to offer.
  return new KnownServers(knownServersFile(env)).entries().then(
    // Of a hashed name nothing can be offered.
    (entries) => entries.flatMap(({ host, port }) => (host === null || port === null ? [] : [{ host, port }])),
    () => [],
  );
}

/** Servers as an argument that is a server only: names of the configuration, and known ones with their port. */
export async function peerCandidates(command: Command, env: NodeJS.ProcessEnv): Promise<Candidate[]> {
  const settings = await settingsOf(command, env);
  const port = settings.get('port').value as number;
  const known = (await knownServers(env)).map((server) =>
    server.port === port ? bracketed(server.host) : serverName(server.host, server.port),
  );
  return [...new Set([...settings.peerNames, ...known])].map((text) => ({ text }));
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** What `PEER:PATH` could go on to: peers before the `:`, names on the server behind it. */
export async function addressCandidates(
  command: Command,
  env: NodeJS.ProcessEnv,
  current: string,
): Promise<Candidate[]> {
  const remote = /^((?:\[[^\]/]*\]|[^/:[\]]+):)(.*)$/s.exec(current);
  if (remote !== null) return pathCandidates(command, env, remote[1] ?? '', remote[2] ?? '');
  const settings = await settingsOf(command, env);
  const port = settings.get('port').value as number;
  // Such an address names no port.
  const known = (await knownServers(env)).filter((server) => server.port === port).map(({ host }) => bracketed(host));
  const names = [...new Set([...settings.peerNames, ...known])];
  return names.map((name) => ({ text: `${name}:` })).filter(({ text }) => text.startsWith(current));
}

async function pathCandidates(
  command: Command,
  env: NodeJS.ProcessEnv,
  peer: string,
  path: string,
): Promise<Candidate[]> {
  const address = parseAddress(`${peer}${path}`);
  if (address.kind !== 'remote') return [];
  neverAsk();
  const end = path.lastIndexOf('/') + 1;
  const [directory, start] = [path.slice(0, end), path.slice(end)];
  const settings = await settingsOf(command, env);
  const globals = resolveGlobalOptions(command, env, settings.file?.values);
  const context: CliContext = {
    output: new Output({ quiet: true, json: false, stdout: NOWHERE, stderr: NOWHERE }),
    globals: { ...globals, timeout: PATIENCE_MS / 1000 },
    settings,
    env,
    signal: AbortSignal.timeout(PATIENCE_MS),
    alive: () => undefined,
    pauseTimeout: () => undefined,
  };
  const found: Candidate[] = [];
  await withClient(context, address, async (client) => {
    let seen = 0;
    for await (const entry of client.list(directory === '' ? '.' : directory, { signal: context.signal })) {
      seen += 1;
      if (seen > MOST_ENTRIES || found.length >= MOST_CANDIDATES) break;
      // A name that starts with a dot is meant only when the dot is typed.
      if (!entry.name.startsWith(start) || (entry.name.startsWith('.') && !start.startsWith('.'))) continue;
      found.push({ text: `${peer}${directory}${entry.name}${entry.type === 'directory' ? '/' : ''}` });
    }
  });
  return found.toSorted((a, b) => (a.text < b.text ? -1 : 1));
}

const NOWHERE = { write: (): boolean => true, isTTY: false };
