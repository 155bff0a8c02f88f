/** "Did you mean": the known name that a misspelt one is nearest to. */

/** Insertions, deletions, changes and swaps of neighbours that make `b` of `a`. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const above = rows[row - 1] as number[];
      const isSame = a[row - 1] === b[column - 1];
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current.push(
        Math.min(
          (above[column] as number) + 1,
          (current[column - 1] as number) + 1,
          (above[column - 1] as number) + Number(!isSame),
          isSwap ? (rows[row - 2]?.[column - 2] as number) + 1 : Infinity,
        ),
      );
    }
    rows.push(current);
  }
  return rows[a.length]?.[b.length] as number;
}

/** The nearest of `known`, when it is near enough to be meant: a third of its letters, at least one, may differ. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > 64) return undefined;
  const plain = name.toLowerCase().replaceAll('_', '-');
  let best: { name: string; distance: number } | undefined;
  for (const candidate of known) {
    const steps = distance(plain, candidate.toLowerCase());
    if (steps <= Math.max(1, Math.floor(candidate.length / 3)) && steps < (best?.distance ?? Infinity)) {
      best = { name: candidate, distance: steps };
    }
  }
  return best?.name;
}
