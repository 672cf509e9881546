import { isIP } from "node:net";

/**
 * Returns an IP range in its one canonical form: the network's address, shortened and in lower case, and its
 * prefix's length. A single address is the range of itself.
 *
 * @returns undefined if the text is no range
 */
export function canonicalRange(text: string): string | undefined {
  const [, address = "", prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0 || address.includes("%")) return undefined;
  const size = version === 4 ? 32 : 128;
  const length = prefix === undefined ? size : Number(prefix);
  if (length > size) return undefined;
  const free = BigInt(size - length);
  const network = ((version === 4 ? bitsOf4(address) : bitsOf6(address)) >> free) << free;
  return `${version === 4 ? textOf4(network) : textOf6(network)}/${length}`;
}

function bitsOf4(address: string): bigint {
  return address.split(".").reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function textOf4(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join(".");
}

function bitsOf6(address: string): bigint {
  // A URL's host has no dotted IPv4 part.
  const [head = "", tail] = hostOf(address).split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const [first, last] = [groups(head), groups(tail ?? "")];
  const zeros = Array<string>(8 - first.length - last.length).fill("0");
  return [...first, ...zeros, ...last].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}

function textOf6(bits: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((bits >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
  );
  return hostOf(groups.join(":"));
}

/** The shortest text of an IPv6 address (RFC 5952), as a URL's parser makes it. */
function hostOf(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
