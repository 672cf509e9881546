import { isIPv4, isIPv6 } from "node:net";
import type { RecordType } from "./records.ts";

/**
 * Returns a record's value in wire format (RFC 1035, 3.3; RFC 3596; RFC 8659), uncompressed.
 *
 * @param value as zone files have it
 * @throws Error when it isn't one of that type
 */
export function rdata(type: RecordType, value: string): Buffer {
  switch (type) {
    case "A":
      if (!isIPv4(value)) throw new Error(`${value} is no IPv4 address`);
      return Buffer.from(value.split(".").map(Number));
    case "AAAA":
      return ipv6(value);
    case "CNAME":
    case "NS":
      return domainName(value);
    case "TXT":
      return text(value);
    case "CAA":
      return caa(value);
    case "SOA":
      return soa(value);
  }
}

/**
 * Returns a name in wire format.
 *
 * @throws Error when it is empty within, too long or not of ASCII
 */
export function domainName(name: string): Buffer {
  const bare = name.replace(/\.$/, "");
  const labels = bare === "" ? [] : bare.split(".");
  if (!labels.every((label) => /^[!-~]{1,63}$/.test(label)) || bare.length > 253) {
    throw new Error(`${name} is no domain name`);
  }
  return Buffer.concat([...labels.map((label) => characterString(Buffer.from(label))), Buffer.of(0)]);
}

/** Returns the strings of a TXT value: in quotation marks, or separated by spaces. */
export function characterStrings(value: string): Buffer[] {
  const strings = value.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/g) ?? [];
  return strings.map((text) => Buffer.from(unquoted(text)));
}

/** Returns a string in quotation marks, as zone files have it. */
export function quoted(text: Buffer): string {
  return `"${text.toString().replaceAll(/["\\]/g, "\\$&")}"`;
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/g, "$1") : text;
}

function characterString(text: Buffer): Buffer {
  if (text.length > 255) throw new Error(`${text} is longer than 255 bytes`);
  return Buffer.concat([Buffer.of(text.length), text]);
}

function text(value: string): Buffer {
  const strings = characterStrings(value);
  if (strings.length === 0) throw new Error("a TXT record has one string at least");
  return Buffer.concat(strings.map(characterString));
}

function ipv6(value: string): Buffer {
  if (!isIPv6(value) || value.includes(".")) throw new Error(`${value} is no IPv6 address`);
  const [head = [], tail = []] = value.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = new Array<string>(8 - head.length - tail.length).fill("0");
  return Buffer.from([...head, ...zeros, ...tail].map((group) => group.padStart(4, "0")).join(""), "hex");
}

function caa(value: string): Buffer {
  const [, flags, tag, text] = /^(\d{1,3}) ([a-z0-9]+) (.+)$/i.exec(value) ?? [];
  if (flags === undefined || tag === undefined || text === undefined || Number(flags) > 255) {
    throw new Error(`${value} is no CAA record`);
  }
  return Buffer.concat([
    Buffer.of(Number(flags)),
    characterString(Buffer.from(tag)),
    Buffer.from(unquoted(text)),
  ]);
}

function soa(value: string): Buffer {
  const [primary, hostmaster, ...numbers] = value.split(" ");
  if (primary === undefined || hostmaster === undefined || numbers.length !== 5) {
    throw new Error(`${value} is no SOA record`);
  }
  const timers = Buffer.alloc(20);
  numbers.forEach((number, index) => {
    timers.writeUInt32BE(Number(number), index * 4);
  });
  return Buffer.concat([domainName(primary), domainName(hostmaster), timers]);
}
