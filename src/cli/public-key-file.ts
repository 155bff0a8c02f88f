/** Where the public half of a key file is. */

/** `client_id.key` has its public half in `client_id.pub`, `mine` in `mine.pub`. */
export function publicKeyFile(file: string): string {
  return `${file.replace(/\.key$/, '')}.pub`;
}
