/** A remote name as a `--json` object. */
import type { Entry } from '../index.js';
import type { CliEntryEvent } from './events.js';

/** The `entry` event for it. */
export function entryEvent(entry: Entry): Omit<CliEntryEvent, 'v' | 'time'> {
  const { path, size, type: kind, modified } = entry;
  const mode = (entry.mode & 0o7777).toString(8).padStart(4, '0');
  return { type: 'entry', path, size, kind, mtime: modified.toISOString(), mode };
}
