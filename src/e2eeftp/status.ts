/**
 * The status numbers of replies. They keep the meaning that the original e2eeftp gave them.
 */

/** Provisional: send the body of your request now. */
export const STATUS_SEND_BODY = 100;
/** Provisional, any number of times outside of bodies: the server is at work on the request. */
export const STATUS_AT_WORK = 102;
/** Provisional: the body of the reply follows, and after it the final reply. */
export const STATUS_BODY_FOLLOWS = 150;
/** Done. */
export const STATUS_OK = 200;
/** Done, and every byte of the file was verified. */
export const STATUS_TRANSFER_COMPLETE = 226;
/** Smallest status of a refusal or failure. */
export const STATUS_FAILURE = 400;

/** Protocol number in the server's first message. */
export const PROTOCOL_VERSION = 1;
/** Name and version in the server's first message. */
export const SOFTWARE = 'e2eeftp/0.1.0';
/** How often {@link STATUS_AT_WORK} is sent, in milliseconds. */
export const AT_WORK_MS = 2_000;
/** Largest encoded page of a listing in bytes: 256 entries of at most 300 bytes fit. */
export const MAX_LIST_PAGE_LENGTH: number = 128 * 1024;
