/**
 * Addresses as the command line takes them: `PEER:PATH`, `e2eeftp://[user@]host[:port]/path`, or a local path.
 * This module reads text only; it looks at no file and no network.
 */
import { isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { E2eeftpError, pathFromBytes } from '../index.js';

/** A server, without a path. */
export interface PeerAddress {
  /** The user name before `@`, if any. */
  user?: string;
  /** Host name (ASCII form) or IP address, without brackets. */
  host: string;
  /** Only a URL or a peer-only argument can name one. */
  port?: number;
}

/** A file or directory on a server. */
export interface RemoteAddress extends PeerAddress {
  kind: 'remote';
  /**
   * Path text as the library takes it; without a leading `/` it starts in the account's home; empty is the home itself.
   * A trailing `/` is kept: it means "into this directory".
   */
  path: string;
}

/** A file or directory on this machine; `-` is standard input or output. */
export interface LocalAddress {
  kind: 'local';
  path: string;
}

export type Address = RemoteAddress | LocalAddress;

function invalid(message: string, hint?: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
}

const URL_FORM = /^e2eeftp:\/\/(?:([^@/?#]*)@)?(\[[^\]/?#]*\]|[^:/?#[\]]*)(?::([^/?#]*))?(\/[^?#]*)?$/i;

function checkHost(text: string, whole: string): string {
  if (text.startsWith('[') && text.endsWith(']')) {
    const address = text.slice(1, -1);
    if (!isIPv6(address)) throw invalid(`'${whole}': ${text} is not an IPv6 address`);
    return address;
  }
  // domainToASCII turns 'bücher.example' into its ASCII form. It also cuts a name at some ASCII characters and reads
  // '0x7f.1' as an address, so it only gets to see names that need it.
  const host = /^[\p{L}\p{M}\p{N}._-]+$/u.test(text) && /\P{ASCII}/u.test(text) ? domainToASCII(text) : text;
  if (host === '' || host.length > 253 || host.startsWith('-') || !/^[A-Za-z0-9._-]+$/.test(host)) {
    throw invalid(`'${whole}': '${text}' is not a host name`, 'write PEER:PATH, for example files.example.org:/inbox/');
  }
  return host;
}

function checkUser(text: string, whole: string): string {
  if (text.includes(':')) {
    throw invalid(`'${whole}': a password can't be part of an address`, 'the key file given with -i logs you in');
  }
  if (!/^[\p{L}\p{N}._+@-]{1,128}$/u.test(text)) throw invalid(`'${whole}': '${text}' is not a user name`);
  return text;
}

function checkPort(text: string, whole: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw invalid(`'${whole}': '${text}' is not a port (1 to 65535)`);
  return port;
}

function checkPath(path: string, whole: string): string {
  if (path.includes('\0')) throw invalid(`'${whole}': a path can't hold a NUL byte`);
  return path;
}

/** Percent-decodes into path text; a `%` that is not followed by two hexadecimal digits is refused. */
function decodeUrlPath(text: string, whole: string): string {
  const bytes: Buffer[] = [];
  for (const piece of text.split(/(%[0-9a-f]{2})/i)) {
    if (/^%[0-9a-f]{2}$/i.test(piece)) bytes.push(Buffer.from(piece.slice(1), 'hex'));
    else if (piece.includes('%')) throw invalid(`'${whole}': '%' must be followed by two hexadecimal digits`);
    else bytes.push(Buffer.from(piece, 'utf8'));
  }
  return checkPath(pathFromBytes(Buffer.concat(bytes)), whole);
}

function parseUrl(url: string): PeerAddress & { path: string | undefined } {
  const match = URL_FORM.exec(url);
  // What may be a password is not repeated in an error.
  const text = url.replace(/^([^/]*\/\/)[^@/]*@/, '$1…@');
  if (match === null) {
    throw invalid(
      `'${text}' is not a valid address`,
      "write e2eeftp://host[:port]/path, with '?' and '#' as %3F and %23",
    );
  }
  const [, user, host = '', port, path] = match;
  return {
    ...(user === undefined ? {} : { user: checkUser(decodeURIComponentStrict(user, text), text) }),
    host: checkHost(host, text),
    ...(port === undefined || port === '' ? {} : { port: checkPort(port, text) }),
    path: path === undefined ? undefined : decodeUrlPath(path, text),
  };
}

function decodeURIComponentStrict(text: string, whole: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`'${whole}': the user name is not valid percent-encoding`);
  }
}

/** Splits `user@rest`; the last `@` before the host counts. */
function splitUser(text: string): [string | undefined, string] {
  const at = text.lastIndexOf('@');
  return at < 0 ? [undefined, text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Where `PEER` ends in `PEER:PATH`, or -1 when the text is a local path. */
function peerEnd(text: string, platform: NodeJS.Platform): number {
  const bracketed = /^(?:[^/[\]:]*@)?\[[^\]/]*\]:/.exec(text);
  if (bracketed !== null) return bracketed[0].length - 1;
  const colon = text.indexOf(':');
  if (colon <= 0) return -1;
  const before = text.slice(0, colon);
  if (before.includes('/')) return -1;
  if (platform === 'win32' && (before.includes('\\') || /^[A-Za-z]$/.test(before))) return -1;
  return colon;
}

/**
 * Reads one argument of a transfer. A local path that holds a `:` before any `/` is written `./a:b`.
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for what looks remote but is not a valid address.
 */
export function parseAddress(text: string, platform: NodeJS.Platform = process.platform): Address {
  if (text === '') throw invalid('an address or path is empty');
  if (/^e2eeftp:\/\//i.test(text)) {
    const { path = '', ...peer } = parseUrl(text);
    return { kind: 'remote', ...peer, path };
  }
  const end = peerEnd(text, platform);
  if (end < 0) return { kind: 'local', path: checkPath(text, text) };
  const path = text.slice(end + 1);
  if (path.startsWith('//') && /^[a-z][a-z0-9+.-]*$/i.test(text.slice(0, end))) {
    throw invalid(`'${text}': only e2eeftp:// URLs are understood`, 'write PEER:PATH or e2eeftp://host/path');
  }
  const [user, host] = splitUser(text.slice(0, end));
  return {
    kind: 'remote',
    ...(user === undefined ? {} : { user: checkUser(user, text) }),
    host: checkHost(host, text),
    path: checkPath(path, text),
  };
}

/**
 * Reads an argument that names a server only: `host`, `host:port`, `[IPv6]`, `[IPv6]:port`, a bare IPv6 address, or
 * a URL without a path; each may have `user@` in front.
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT`
 */
export function parsePeer(text: string): PeerAddress {
  if (/^e2eeftp:\/\//i.test(text)) {
    const { path, ...peer } = parseUrl(text);
    if (path !== undefined && path !== '/') throw invalid(`'${text}': a server is asked for, not a path on it`);
    return peer;
  }
  const [user, rest] = splitUser(text);
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(rest);
  const bare = isIPv6(rest);
  if (!bare && match === null) throw invalid(`'${text}': a server is asked for, not a path on it`);
  const port = bare ? undefined : match?.[2];
  return {
    ...(user === undefined ? {} : { user: checkUser(user, text) }),
    host: bare ? rest : checkHost(match?.[1] ?? '', text),
    ...(port === undefined || port === '' ? {} : { port: checkPort(port, text) }),
  };
}
