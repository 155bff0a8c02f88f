/** What `doctor` printed: the status of each thing it looked at. */
export function doctor(output: string): Map<string, string> {
  const lines = output.split('\n').map((line) => /^(ok|warn|fail) +(\S+(?: \S+)*?) {2,}/.exec(line));
  return new Map(lines.flatMap((match) => (match === null ? [] : [[match[2] ?? '', match[1] ?? ''] as const])));
}
