import { DAY_MS, parseDuration } from "../base/duration.ts";
import type { Mistake } from "../base/mistakes.ts";

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** An RFC 1123 subdomain: the names of releases and of most Kubernetes objects. */
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** A Node.js timer of more than 2^31 ms, which is 24.9 days, would fire at once. */
const MAX_WAIT_MS = 24 * DAY_MS;

/** Added when a URL can't be parsed: its password may have characters that end it early. */
const NOT_SHOWN =
  "it is not shown, as it may have a password: percent-encode /, ?, #, @, : and % in a password";

/** Reads inputs by type and collects the mistakes in them. Durations are milliseconds. */
export interface InputReader {
  /** Sentences that each name an input, its value and what is allowed. */
  readonly mistakes: Mistake[];
  /** The input as given. */
  raw(name: string): string;
  text(name: string): string;
  optional(name: string): string | undefined;
  /** Records a mistake: the input's value isn't what is allowed. */
  refuse(name: string, allowed: string): void;
  /** The first of `allowed` is the default. */
  oneOf<T extends string>(name: string, allowed: readonly [T, ...T[]]): T;
  flag(name: string, fallback: boolean): boolean;
  duration(name: string, fallback: string): number;
  /** A duration that a timer can wait for. */
  limit(name: string, fallback: string): number;
  /** Undefined for `never`, the default. */
  limitOrNever(name: string): number | undefined;
  objectName(name: string, fallback: string): string;
  url(name: string, fallback: string): string;
  /** One item a line, without blank lines. */
  lines(name: string): string[];
}

/** @param input returns an input's text, empty when it isn't set */
export function inputReader(input: (name: string) => string): InputReader {
  const mistakes: Mistake[] = [];
  const text = (name: string) => input(name).trim();
  const refuse = (name: string, allowed: string) => {
    const value = text(name);
    mistakes.push(
      value === "" ? `${name} is required: ${allowed}` : `${name}: ${quote(value)} is not ${allowed}`,
    );
  };
  const duration = (name: string, fallback: string): number => {
    const milliseconds = parseDuration(text(name) || fallback);
    if (milliseconds === undefined || milliseconds <= 0) {
      refuse(name, "a duration above zero such as 90s, 45m or 1h30m");
    }
    return milliseconds ?? 0;
  };
  const limit = (name: string, fallback: string): number => {
    const milliseconds = duration(name, fallback);
    if (milliseconds > MAX_WAIT_MS) refuse(name, "a duration of at most 24 days (576h)");
    return milliseconds;
  };
  return {
    mistakes,
    raw: input,
    text,
    optional: (name) => text(name) || undefined,
    refuse,
    oneOf: (name, allowed) => {
      const value = text(name) || allowed[0];
      const known = allowed.find((candidate) => candidate === value);
      if (known === undefined) refuse(name, `one of ${allowed.join(", ")}`);
      return known ?? allowed[0];
    },
    flag: (name, fallback) => {
      const value = text(name).toLowerCase();
      if (value !== "" && value !== "true" && value !== "false") refuse(name, "true or false");
      return value === "" ? fallback : value === "true";
    },
    duration,
    limit,
    limitOrNever: (name) => {
      if (/^(never)?$/.test(text(name))) return undefined;
      if (parseDuration(text(name)) !== undefined) return limit(name, "");
      refuse(name, "never or a duration such as 20m or 1h30m");
      return undefined;
    },
    objectName: (name, fallback) => {
      const value = text(name);
      if (value === "") return fallback;
      if (!isSubdomain(value)) {
        refuse(
          name,
          "a Kubernetes object name (lower-case letters, digits, '-' and '.', at most 253 characters)",
        );
      }
      return value;
    },
    url: (name, fallback) => {
      const value = text(name) || fallback;
      if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
        if (value.includes("@")) mistakes.push(`${name} is not an http(s) URL; ${NOT_SHOWN}`);
        else refuse(name, "an http(s) URL");
      }
      return value.replace(/\/+$/, "");
    },
    lines: (name) =>
      input(name)
        .split(/\r?\n/)
        .map((line) => line.trim())
        .filter((line) => line !== ""),
  };
}

/** Tells whether a text is an RFC 1123 label, as the names of namespaces and clusters are. */
export function isLabel(text: string): boolean {
  return DNS_LABEL.test(text);
}

/** Tells whether a text is an RFC 1123 subdomain, as the names of most Kubernetes objects are. */
export function isSubdomain(text: string): boolean {
  return text.length <= 253 && SUBDOMAIN.test(text);
}

/** Quotes a value for a message, and cuts a long one. */
export function quote(value: string): string {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}
