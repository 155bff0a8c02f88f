/** Where a server of the bench runs: on this machine's loopback device, or behind an emulated link. */
import { start } from './processes.mjs';

/**
 * @typedef {object} Place
 * @property {string} host the address at which clients reach it
 * @property {typeof start} start starts a process there
 */

/** @type {Place} */
export const here = { host: '127.0.0.1', start };
