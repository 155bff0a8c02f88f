/** The types of values that settings have. Nothing here loads the native addon: `--help` needs these. */
import { isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { InvalidArgumentError } from 'commander';
import { type ListenAddress, parseListenAddress } from '../listen-address.js';
import type { ValueType } from './setting.js';

/** The longest time that a timer of Node can run, in whole seconds: 2^31 - 1 ms. */
export const MAX_SECONDS = 2_147_483;

function bounded(text: string, low: number, high: number, expects: string): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (number >= low && number <= high) return number;
  throw new InvalidArgumentError(`Give ${expects}.`);
}

function path(completes: 'files' | 'directories', expects: string): ValueType {
  return {
    expects,
    toml: ['string'],
    completes,
    isPath: () => true,
    parse(value) {
      if (value === '') throw new InvalidArgumentError(`Give ${expects}.`);
      return value;
    },
  };
}

export const file: ValueType = path('files', 'the path of a file');
export const directory: ValueType = path('directories', 'the path of a directory');

/** Private keys: paths of key files, `agent`, or `agent:KEY` for one that the ssh-agent holds. */
export const identities: ValueType = {
  ...file,
  expects: 'the path of a key file, agent, or agent:KEY, or a list of such',
  toml: ['string', 'array'],
  isList: true,
  isOneInEnvironment: true,
  isPath: (value) => !/^agent(:|$)/.test(value),
};

/** What means to be a fingerprint or a key line, and what is a whole one; a key line may end with a comment. */
const KEY_START = /^SHA256:|^ssh-ed25519\s|^[A-Za-z0-9+/]{43}=$/;
const WHOLE_KEY =
  /^SHA256:[A-Za-z0-9+/]{43}$|^ssh-ed25519\s+AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}(\s.*)?$|^[A-Za-z0-9+/]{43}=$/;

/** A fingerprint, a public key, or the path of a file that holds one. */
export const serverKey: ValueType = {
  ...file,
  expects: 'a whole SHA256:… , a public key, or the path of a file with one',
  isPath: (value) => !KEY_START.test(value),
  parse(value) {
    if (value !== '' && KEY_START.test(value) === WHOLE_KEY.test(value)) return value;
    throw new InvalidArgumentError('Give a whole SHA256:… , a public key, or the path of a file with one.');
  },
};

/** `true` or `false`; in the environment also 1, yes, on, 0, no, off and nothing. */
export const flag: ValueType = {
  expects: 'true or false',
  toml: ['boolean'],
  isSwitch: true,
  parse(value) {
    if (/^(1|true|yes|on)$/i.test(value)) return true;
    if (/^(0|false|no|off|)$/i.test(value)) return false;
    throw new InvalidArgumentError('Give 1 or 0.');
  },
};

/** A number of steps, 0 to `most`; its option is given so many times. */
export function counter(most: number): ValueType {
  const expects = `a whole number from 0 to ${most}`;
  return { expects, toml: ['integer'], countsTo: most, parse: (value) => bounded(value, 0, most, expects) };
}

/** A whole number in a range. */
export function integer(low: number, high: number): ValueType {
  const expects = `a whole number from ${low} to ${high}`;
  return { expects, toml: ['integer'], parse: (value) => bounded(value, low, high, expects) };
}

export const port: ValueType = {
  expects: 'a port from 1 to 65535',
  toml: ['integer'],
  parse: (value) => bounded(value, 1, 65_535, 'a port from 1 to 65535'),
};

/** Seconds, also parts of one; as long as a timer can run. @param zero whether 0 is allowed: no limit. */
function duration(zero: boolean): ValueType {
  const expects = `a number of seconds, ${zero ? '0' : 'above 0'} to ${MAX_SECONDS} (24 days)`;
  return {
    expects,
    toml: ['integer', 'float'],
    parse(value) {
      const number = /^\d{1,10}(\.\d{1,9})?$/.test(value) ? Number(value) : NaN;
      if ((number > 0 || (zero && number === 0)) && number <= MAX_SECONDS) return number;
      throw new InvalidArgumentError(`Give ${expects}, for example 30 or 0.5.`);
    },
  };
}

export const seconds: ValueType = duration(false);
export const secondsOrNone: ValueType = duration(true);

const UNITS = ['', 'K', 'M', 'G', 'T'];

/** Bytes a second: a number, or one with K, M, G or T (powers of 1024), from 1024 on. */
export const byteRate: ValueType = {
  expects: 'bytes a second from 1024 on, such as 500K or 2.5M',
  toml: ['string', 'integer'],
  parse(value) {
    const [, digits = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?)([KMGT]?)$/i.exec(value) ?? [];
    const rate = Math.round(Number(digits) * 1024 ** UNITS.indexOf(unit.toUpperCase()));
    if (digits !== '' && Number.isSafeInteger(rate) && rate >= 1024) return rate;
    throw new InvalidArgumentError('Give bytes a second from 1024 on, such as 500K or 2.5M (powers of 1024).');
  },
};

/** One of some words. */
export function choice(...choices: readonly string[]): ValueType {
  const expects = choices.length < 3 ? choices.join(' or ') : `one of ${choices.join(', ')}`;
  return {
    expects,
    toml: ['string'],
    choices,
    parse(value) {
      if (choices.includes(value)) return value;
      throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`);
    },
  };
}

/** A host name, in its ASCII form, or an IP address without brackets. */
export const host: ValueType = {
  expects: 'a host name or an IP address',
  toml: ['string'],
  parse(value) {
    const bare = /^\[(.*)\]$/.exec(value)?.[1] ?? value;
    if (isIPv6(bare)) return bare;
    const ascii = /^[\p{L}\p{M}\p{N}._-]+$/u.test(value) && /\P{ASCII}/u.test(value) ? domainToASCII(value) : value;
    if (ascii.length <= 253 && /^[A-Za-z0-9._][A-Za-z0-9._-]*$/.test(ascii)) return ascii;
    throw new InvalidArgumentError('Give a host name or an IP address, without port or path.');
  },
};

/** The name of an account on a server. */
export const user: ValueType = {
  expects: 'a user name',
  toml: ['string'],
  parse(value) {
    if (/^[\p{L}\p{N}._+@-]{1,128}$/u.test(value)) return value;
    throw new InvalidArgumentError('Give a user name.');
  },
};

/** Addresses to listen on. */
export const listen: ValueType = {
  expects: 'ADDRESS:PORT, or a list of such',
  toml: ['string', 'array'],
  isList: true,
  parse: parseListenAddress,
  format(value) {
    const { host: address, port: number } = value as ListenAddress;
    return `${address.includes(':') ? `[${address}]` : address}:${number}`;
  },
};
