/**
 * Server names that tell nothing to whoever reads the file: `|1|salt|hash`, as OpenSSH writes hashed host names. `hash` is
 * HMAC-SHA1 of the name (`host:port`) under the salt, both in base64 of 20 bytes. A name can be tested against it, and
 * guessed; it can't be read off.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Length of salt and hash, in bytes. */
const LENGTH = 20;
const shape = /^\|1\|([A-Za-z0-9+/]{27}=)\|([A-Za-z0-9+/]{27}=)$/;

/** Whether `text` is a hashed name. */
export function isHashedServerName(text: string): boolean {
  return shape.test(text);
}

/** The hashed form of `name`, with a new salt: two calls give two texts. */
export function hashServerName(name: string): string {
  const salt = randomBytes(LENGTH);
  return `|1|${salt.toString('base64')}|${hash(salt, name).toString('base64')}`;
}

/** Whether the hashed name stands for `name`. */
export function isHashOfServerName(hashed: string, name: string): boolean {
  const [, salt, expected] = shape.exec(hashed) ?? [];
  if (salt === undefined || expected === undefined) return false;
  return timingSafeEqual(hash(Buffer.from(salt, 'base64'), name), Buffer.from(expected, 'base64'));
}

function hash(salt: Buffer, name: string): Buffer {
  return createHmac('sha1', salt).update(name).digest();
}
