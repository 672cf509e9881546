/** Assumed lifetime of a token without an expiry, in milliseconds: the shortest that Google issues. */
export const UNKNOWN_LIFETIME = 300_000;

export interface AccessToken {
  value: string;
  /** Milliseconds since the epoch. */
  expires: number;
}
