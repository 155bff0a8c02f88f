/**
 * What is left of half a file: which of the names in a directory tree are those of staged files that no later transfer
 * can go on with.
 */

/** A staged file and its journal belong together: that is what a later transfer goes on with. Anything else is litter. */
export function litter(names: readonly string[]): string[] {
  const staged = names.filter((name) => /(^|\/)\.e2eeftp-/i.test(name));
  const all = new Set(staged);
  return staged.filter((name) => {
    const partner = name.endsWith('.part') ? name.replace(/\.part$/, '.journal') : name.replace(/\.journal$/, '.part');
    return partner === name || !all.has(partner);
  });
}
