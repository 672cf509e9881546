/** Lifetime in milliseconds taken for a token whose issuer doesn't tell it: the shortest that Google gives. */
export const UNKNOWN_LIFETIME = 300_000;

export interface AccessToken {
  value: string;
  /** Milliseconds since the epoch. */
  expires: number;
}
