/**
 * Names made safe to show. Nothing that a peer chose may move the cursor, reverse the writing direction or break a
 * log line, so such characters are shown as escapes. The result is for people; it is not meant to be parsed back.
 */

// C0, DEL, C1, line and paragraph separators, zero-width and bidirectional controls, byte order mark, lone surrogates,
// tags and noncharacters.
const unsafe =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\p{Cs}\u{e0000}-\u{e007f}]/gu;

/** `text` with control, bidirectional and invisible characters as `\xNN` or `\u{NNNN}`, and non-UTF-8 bytes as `\xNN`. */
export function displayName(text: string): string {
  return text.replace(unsafe, (character) => {
    const point = character.codePointAt(0) ?? 0;
    if (point >= 0xdc80 && point <= 0xdcff) return `\\x${(point - 0xdc00).toString(16)}`;
    if (point <= 0xff) return `\\x${point.toString(16).padStart(2, '0')}`;
    return `\\u{${point.toString(16)}}`;
  });
}
