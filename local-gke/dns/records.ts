import { EventEmitter } from "node:events";
import { resourceRecord } from "./record-data.ts";
import type { RecordSet, RecordType } from "./record-types.ts";

/** What is found under a name. */
export interface Resolution {
  /** The aliases (CNAME) on the way, then what was asked for. */
  answers: RecordSet[];
  /** Whether the last name on the way has records of any type, or names below it that have. */
  exists: boolean;
}

const LONGEST_ALIAS_CHAIN = 8;

/** Sets of DNS records; names are taken with or without the last dot, in any case. */
export class DnsRecords extends EventEmitter<{ change: [name: string] }> {
  readonly #sets = new Map<string, RecordSet>();

  /** Returns the set of exactly this name and type. */
  records(name: string, type: RecordType): RecordSet | undefined {
    return this.#sets.get(keyOf(name, type));
  }

  /**
   * Makes these the records of a name and type.
   *
   * @throws Error for what no DNS message can carry
   */
  set(name: string, type: RecordType, values: string[], ttl = 300): void {
    const set = { name: qualified(name), type, ttl, values };
    for (const value of values) resourceRecord(set, value);
    this.#sets.set(keyOf(name, type), set);
    this.emit("change", qualified(name));
  }

  /** Removes the set and says whether there was one. */
  delete(name: string, type: RecordType): boolean {
    const existed = this.#sets.delete(keyOf(name, type));
    if (existed) this.emit("change", qualified(name));
    return existed;
  }

  /** Returns the sets at a name and below it; all of them for the root, `.`. */
  below(name: string): RecordSet[] {
    return [...this.#sets.values()].filter((set) => isBelow(set.name, qualified(name)));
  }

  /** Returns what a resolver finds: aliases are followed, wildcards answer for names that don't exist (RFC 4592). */
  resolve(name: string, type: RecordType): Resolution {
    const answers: RecordSet[] = [];
    let asked = qualified(name);
    while (answers.length < LONGEST_ALIAS_CHAIN) {
      const owner = this.#ownerOf(asked);
      if (owner === undefined) return { answers, exists: false };
      const found = this.records(owner, type);
      if (found) return { answers: [...answers, { ...found, name: asked }], exists: true };
      const alias = this.records(owner, "CNAME");
      const [target] = alias?.values ?? [];
      if (!alias || target === undefined) return { answers, exists: true };
      answers.push({ ...alias, name: asked });
      asked = qualified(target);
    }
    return { answers, exists: true };
  }

  /** Returns the IPv4 addresses of a host. */
  addresses(host: string): string[] {
    const last = this.resolve(host, "A").answers.at(-1);
    return last?.type === "A" ? last.values : [];
  }

  /** Returns the name whose records answer for this one: itself, or the nearest wildcard. */
  #ownerOf(name: string): string | undefined {
    if (this.#exists(name)) return name;
    for (let parent = parentOf(name); parent !== undefined; parent = parentOf(parent)) {
      const wildcard = parent === "." ? "*." : `*.${parent}`;
      if (this.#exists(wildcard)) return wildcard;
      if (this.#exists(parent)) return undefined;
    }
    return undefined;
  }

  #exists(name: string): boolean {
    return this.below(name).length > 0;
  }
}

/** Returns a name in lower case with the last dot, as zones have it. */
export function qualified(name: string): string {
  return `${name.replace(/\.$/, "")}.`.toLowerCase();
}

/** Whether a name is the other or below it; both {@link qualified}. */
export function isBelow(name: string, ancestor: string): boolean {
  return ancestor === "." || name === ancestor || name.endsWith(`.${ancestor}`);
}

function parentOf(name: string): string | undefined {
  if (name === ".") return undefined;
  return name.slice(name.indexOf(".") + 1) || ".";
}

function keyOf(name: string, type: RecordType): string {
  return `${qualified(name)} ${type}`;
}
