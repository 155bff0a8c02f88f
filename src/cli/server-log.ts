/** The log of `e2eeftp serve`, on standard error: lines for people, or JSON objects by pino. */
import { pino } from 'pino';
import { displayName } from '../index.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = 'text' | 'json';

/** What a server logs to: a message with fields, as pino takes it. */
export interface ServerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Makes the log. JSON lines have `level`, `time` (ISO 8601), `pid`, `msg` and the fields. */
export function createServerLog(level: LogLevel, format: LogFormat): ServerLog {
  if (format === 'json') {
    return pino(
      {
        level,
        base: { pid: process.pid },
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      pino.destination({ fd: 2, sync: true }),
    );
  }
  const lowest = LOG_LEVELS.indexOf(level);
  const at =
    (name: LogLevel) =>
    (fields: object, message: string): void => {
      if (LOG_LEVELS.indexOf(name) >= lowest) process.stderr.write(`${textLine(name, fields, message)}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function textLine(level: LogLevel, fields: object, message: string): string {
  const time = new Date().toISOString().slice(0, 19).replace('T', ' ');
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${textValue(value)}`);
  return displayName([`${time}Z`, level.toUpperCase().padEnd(5), message, ...parts].join(' '));
}

function textValue(value: unknown): string {
  if (value instanceof Error) {
    const { code } = value as NodeJS.ErrnoException;
    return JSON.stringify(code === undefined ? value.message : `${code}: ${value.message}`);
  }
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return typeof value === 'string' && /[\s"=]|^$/.test(text) ? JSON.stringify(text) : text;
}
