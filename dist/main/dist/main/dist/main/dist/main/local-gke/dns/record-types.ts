export const RECORD_TYPES = ["A", "AAAA", "CAA", "CNAME", "NS", "SOA", "TXT"] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

/** All records of one name and type. */
export interface RecordSet {
  /** Fully qualified, lower case. */
  name: string;
  type: RecordType;
  /** In seconds. */
  ttl: number;
  /** In zone file format, e.g. `127.20.0.1`, `0 issue "pki.goog"`, `"v=spf1 -all"`, `example.com.`. */
  values: string[];
}
