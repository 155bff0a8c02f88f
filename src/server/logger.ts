/**
 * Where a server writes its log: any object with pino's four levels. Names that came from a peer are escaped before
 * they get here; keys, passphrases and file contents never do.
 */

/** The part of pino that is used. */
export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

const ignore = (): void => undefined;

/** Writes nothing. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
