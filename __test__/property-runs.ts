/** How much more than usual the property tests do: `E2EEFTP_PROPERTY_FACTOR=100 npx ava …` for a long run. */
const factor = Number(process.env['E2EEFTP_PROPERTY_FACTOR'] ?? 1);

/** `runs`, or a multiple of it in a long run. */
export function repeated(runs: number): number {
  return Math.max(1, Math.round(runs * factor));
}
