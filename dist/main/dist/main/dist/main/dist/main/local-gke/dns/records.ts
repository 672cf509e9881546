import { EventEmitter } from "node:events";
import { resourceRecord } from "./record-data.ts";
import type { RecordSet, RecordType } from "./record-types.ts";

/** The result of resolving a name. */
export interface Resolution {
  /** The CNAME records that were followed, then the records of the requested type. */
  answers: RecordSet[];
  /** Whether the last name has records of any type, or has names with records below it. */
  exists: boolean;
}

const LONGEST_ALIAS_CHAIN = 8;

/** DNS records. Names are case-insensitive, with or without the trailing dot. */
export class DnsRecords extends EventEmitter<{ change: [name: string] }> {
  readonly #sets = new Map<string, RecordSet>();

  /** The set of exactly this name and type, without following aliases. */
  records(name: string, type: RecordType): RecordSet | undefined {
    return this.#sets.get(keyOf(name, type));
  }

  /**
   * Replaces the set of a name and type.
   *
   * @throws Error if the name or a value is invalid
   */
  set(name: string, type: RecordType, values: string[], ttl = 300): void {
    const set = { name: qualified(name), type, ttl, values };
    for (const value of values) resourceRecord(set, value);
    this.#sets.set(keyOf(name, type), set);
    this.emit("change", qualified(name));
  }

  /** Deletes a set. Returns false if it does not exist. */
  delete(name: string, type: RecordType): boolean {
    const existed = this.#sets.delete(keyOf(name, type));
    if (existed) this.emit("change", qualified(name));
    return existed;
  }

  clear(): void {
    for (const { name, type } of [...this.#sets.values()]) this.delete(name, type);
  }

  /** The sets of a name and of all names below it. `.` is above all names. */
  below(name: string): RecordSet[] {
    return [...this.#sets.values()].filter((set) => isBelow(set.name, qualified(name)));
  }

  /** Resolves a name: follows aliases and applies wildcards to names that do not exist (RFC 4592). */
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

  addresses(host: string): string[] {
    const last = this.resolve(host, "A").answers.at(-1);
    return last?.type === "A" ? last.values : [];
  }

  /** The name whose records apply to `name`: itself or the nearest wildcard. */
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

/** Normalizes a name to lower case with a trailing dot. */
export function qualified(name: string): string {
  return `${name.replace(/\.$/, "")}.`.toLowerCase();
}

/** Whether a name is `ancestor` or below it. Both are {@link qualified}. */
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
