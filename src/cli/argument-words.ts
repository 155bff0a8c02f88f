/**
 * The words of the command line without loss. Node decodes arguments as UTF-8 and replaces what is not; on Linux the
 * bytes can still be had, so that a file with such a name can be sent.
 */
import { readFileSync } from 'node:fs';

/** True for text that Node may have damaged. */
function isDamaged(word: string): boolean {
  return word.includes('\ufffd');
}

/**
 * The words after the program's name; bytes that are not UTF-8 are the lone surrogates U+DC80 to U+DCFF, as in the
 * library's path text.
 */
export async function argumentWords(argv: readonly string[]): Promise<string[]> {
  const words = argv.slice(2);
  if (process.platform !== 'linux' || !words.some(isDamaged)) return words;
  const { pathFromBytes } = await import('../index.js');
  const raw = splitAtNul(readFileSync('/proc/self/cmdline'));
  // The kernel's list also has Node's own options in front: the end is what both have in common.
  return words.map((word, index) => {
    const bytes = raw[raw.length - words.length + index];
    return isDamaged(word) && bytes !== undefined ? pathFromBytes(bytes) : word;
  });
}

function splitAtNul(content: Buffer): Buffer[] {
  const words: Buffer[] = [];
  for (let start = 0; start < content.length;) {
    const end = content.indexOf(0, start);
    words.push(content.subarray(start, end < 0 ? content.length : end));
    start = end < 0 ? content.length : end + 1;
  }
  return words;
}
