/**
 * The other end of a session, as far as it is known once it has proved its key.
 */

/** The other end of a session. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  /** Fingerprint of the key that the client proved to have, `SHA256:…`. */
  readonly fingerprint: string;
  /** That key as an OpenSSH line. */
  readonly key: string;
}
