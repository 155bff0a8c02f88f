// Counting passed and failed tests in what test runners print.

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped ignored, skipped or still to be written; neither passed nor failed
 */

/**
 * Reads the output of `cargo test` line by line.
 *
 * @returns {{counts: Counts, onLine: (line: string) => boolean}} `onLine` answers whether the line
 *   is worth showing: anything but the names of passed tests
 */
export function cargoCounter() {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  return {
    counts,
    onLine(line) {
      const result = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/.exec(line);
      if (result !== null) {
        counts.passed += Number(result[1]);
        counts.failed += Number(result[2]);
        counts.skipped += Number(result[3]);
      }
      return line !== '' && !/^(test .* \.\.\. (ok|ignored.*)|running \d+ tests?)$/.test(line);
    },
  };
}

/**
 * Reads TAP line by line. Counts the result lines themselves, because the closing `# fail` of ava
 * also counts tests that are still to be written.
 *
 * @returns {{counts: Counts, onLine: (line: string) => boolean}} `onLine` answers whether the line
 *   is worth showing: failures with what follows them, and remarks
 */
export function tapCounter() {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let showing = false;
  return {
    counts,
    onLine(line) {
      const result = /^(ok|not ok)\b/.exec(line);
      if (result === null) return showing && !line.startsWith('# ');
      if (/ # (SKIP|TODO)\b/.test(line)) counts.skipped += 1;
      else if (result[1] === 'ok') counts.passed += 1;
      else counts.failed += 1;
      showing = result[1] === 'not ok';
      return showing;
    },
  };
}

/**
 * Reads the output of a script of ours, which ends with `N passed, N failed`.
 *
 * @returns {{counts: Counts, onLine: (line: string) => boolean}} `onLine` answers whether the line
 *   is worth showing
 */
export function closingLineCounter() {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  return {
    counts,
    onLine(line) {
      const result = /^(\d+) passed, (\d+) failed$/.exec(line);
      if (result === null) return line !== '';
      counts.passed += Number(result[1]);
      counts.failed += Number(result[2]);
      return false;
    },
  };
}
