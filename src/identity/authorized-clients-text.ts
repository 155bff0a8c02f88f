/**
 * The text of `authorized_clients.pub`: one key a line, `[options] KEY [comment]`, and lines that start with `#`.
 *
 * KEY is base64 of the raw key, `ssh-ed25519 AAAA…` or `sk-ssh-ed25519@openssh.com AAAA…`. A line that cannot be used is never used in part: it is
 * skipped, and a warning names it.
 */
import { E2eeftpError } from '../errors.js';
import { displayName } from '../storage/display-name.js';
import type { Grant } from '../storage/grant.js';
import { parseClientOptions } from './client-options.js';
import { parsePublicKey } from './public-key.js';
import type { PublicKey } from './public-key.js';

/** One usable line. */
export interface AuthorizedClient {
  readonly key: PublicKey;
  readonly grant: Grant;
  /** What follows the key; `''` when there is nothing. */
  readonly comment: string;
  /** Line number in the file, from 1. */
  readonly line: number;
}

/** A line that was skipped, or that has no effect. */
export interface LineWarning {
  /** Line number in the file, from 1; 0 when the whole file is meant. */
  readonly line: number;
  /** Why, as one sentence part: safe to show. */
  readonly message: string;
}

/** What a file's text amounts to. */
export interface AuthorizedClientsText {
  /** By {@link PublicKey.base64}; of two lines with the same key the first one counts. */
  readonly clients: ReadonlyMap<string, AuthorizedClient>;
  readonly warnings: readonly LineWarning[];
}

/** Lines longer than this are refused unread. */
export const MAX_LINE_LENGTH: number = 8 * 1024;

/** What a key looks like, as the source of a regular expression. */
export const KEY_PATTERN: string = '(?:ssh-ed25519|sk-ssh-ed25519@openssh\\.com)\\s+[A-Za-z0-9+/=]+|[A-Za-z0-9+/]{43}=';

// Options end at the first blank outside quotes. No option looks like a key: names are lower-case words.
const fields = new RegExp(`^(?:((?:[^\\s"]|"(?:[^"\\\\]|\\\\.)*")+)\\s+)?(${KEY_PATTERN})(?:\\s+(.*))?$`);

/** Reads the whole text. Never throws: what cannot be used is in `warnings`. */
export function parseAuthorizedClients(text: string): AuthorizedClientsText {
  const clients = new Map<string, AuthorizedClient>();
  const warnings: LineWarning[] = [];
  for (const [index, raw] of splitLines(text).entries()) {
    const line = index + 1;
    try {
      const client = parseAuthorizedLine(raw, line);
      if (client === null) continue;
      const first = clients.get(client.key.base64);
      if (first === undefined) clients.set(client.key.base64, client);
      else warnings.push({ line, message: `same key as line ${first.line}, which counts; this line is skipped` });
    } catch (error) {
      if (!E2eeftpError.is(error)) throw error;
      warnings.push({ line, message: `${displayName(error.message)}; the line is skipped` });
    }
  }
  return { clients, warnings };
}

/**
 * Reads one line; `null` for a blank one or a comment.
 *
 * @throws E2eeftpError `E2EEFTP_CONFIG`, `E2EEFTP_KEY_FILE` or `E2EEFTP_WEAK_KEY` when the line cannot be used.
 */
export function parseAuthorizedLine(raw: string, line = 1): AuthorizedClient | null {
  if (raw.length > MAX_LINE_LENGTH) throw new E2eeftpError('E2EEFTP_CONFIG', 'the line is too long');
  const trimmed = raw.trim();
  if (trimmed === '' || trimmed.startsWith('#')) return null;
  const match = fields.exec(trimmed);
  if (match === null) throw new E2eeftpError('E2EEFTP_CONFIG', 'there is no Ed25519 key on the line');
  const [, options = '', key = '', comment = ''] = match;
  return { key: parsePublicKey(key), grant: parseClientOptions(options), comment, line };
}

/** Splits at LF or CRLF; a byte order mark at the start is no part of the first line. */
export function splitLines(text: string): string[] {
  return text.replace(/^\ufeff/, '').split(/\r?\n/);
}
