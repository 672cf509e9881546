import { isIPv4, isIPv6 } from "node:net";
import type { Answer, CaaData, SoaData } from "dns-packet";
import type { RecordSet } from "./record-types.ts";

/**
 * Converts one value of a record set from zone file format to what dns-packet encodes. dns-packet checks
 * neither lengths nor addresses, so this function does.
 *
 * @throws Error if the name, or the value for its type, is invalid
 */
export function resourceRecord(set: Omit<RecordSet, "values">, value: string): Answer {
  const owner = { name: domainName(set.name), ttl: set.ttl };
  const { type } = set;
  switch (type) {
    case "A":
      if (!isIPv4(value)) throw new Error(`${value} is not an IPv4 address`);
      return { ...owner, type, data: value };
    case "AAAA":
      if (!isIPv6(value) || /[.%]/.test(value)) throw new Error(`${value} is not an IPv6 address`);
      return { ...owner, type, data: value };
    case "CNAME":
    case "NS":
      return { ...owner, type, data: domainName(value) };
    case "TXT":
      return { ...owner, type, data: text(value) };
    case "CAA":
      return { ...owner, type, data: caa(value) };
    case "SOA":
      return { ...owner, type, data: soa(value) };
  }
}

/** Splits a TXT value into its strings: quoted ones, or words separated by spaces. */
export function characterStrings(value: string): Buffer[] {
  const strings = value.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/g) ?? [];
  return strings.map((string) => Buffer.from(unquoted(string)));
}

/** The inverse of `unquoted`: a string in zone file format. */
export function quoted(string: Buffer): string {
  return `"${string.toString().replaceAll(/["\\]/g, "\\$&")}"`;
}

function unquoted(string: string): string {
  return string.startsWith('"') ? string.slice(1, -1).replaceAll(/\\(.)/g, "$1") : string;
}

/** @throws Error if the name has an empty or too long label, is too long, or is not ASCII */
export function domainName(name: string): string {
  const bare = name.replace(/\.$/, "");
  const labels = bare === "" ? [] : bare.split(".");
  if (!labels.every((label) => /^[!-~]{1,63}$/.test(label)) || bare.length > 253) {
    throw new Error(`${name} is not a domain name`);
  }
  return bare === "" ? "." : bare;
}

function text(value: string): Buffer[] {
  const strings = characterStrings(value);
  if (strings.length === 0) throw new Error("a TXT record needs at least one string");
  const long = strings.find((string) => string.length > 255);
  if (long) throw new Error(`${long} is longer than 255 bytes`);
  return strings;
}

function caa(value: string): CaaData {
  const [, flags = "", tag, property = ""] = /^(\d{1,3}) (issue|issuewild|iodef) (.+)$/i.exec(value) ?? [];
  const known = (["issue", "issuewild", "iodef"] as const).find((each) => each === tag?.toLowerCase());
  if (known === undefined || Number(flags) > 255) throw new Error(`${value} is not a CAA record`);
  return { flags: Number(flags), tag: known, value: unquoted(property) };
}

function soa(value: string): SoaData {
  const [mname = "", rname = "", ...numbers] = value.split(" ");
  const [serial, refresh, retry, expire, minimum] = numbers.map(Number);
  const valid = numbers.length === 5 && numbers.every((each) => /^\d+$/.test(each) && Number(each) < 2 ** 32);
  if (!valid) throw new Error(`${value} is not an SOA record`);
  return { mname: domainName(mname), rname: domainName(rname), serial, refresh, retry, expire, minimum };
}
