export interface AddressSettings {
  /** Undefined if it is global. */
  region?: string | undefined;
  addressType?: "EXTERNAL" | "INTERNAL";
  purpose?: "GCE_ENDPOINT" | "SHARED_LOADBALANCER_VIP" | undefined;
  /** Name of the subnetwork of an internal address. */
  subnetwork?: string | undefined;
  description?: string | undefined;
}

export interface StaticAddress extends AddressSettings {
  name: string;
  address: string;
}

/** The reserved addresses of a project. Names are unique per region, and among global addresses. */
export class StaticAddresses {
  readonly #addresses = new Map<string, StaticAddress>();

  /** The IP address of a name; undefined if it is not reserved. */
  get(name: string, region?: string): string | undefined {
    return this.resource(name, region)?.address;
  }

  resource(name: string, region?: string): StaticAddress | undefined {
    return this.#addresses.get(keyOf(name, region));
  }

  set(resource: StaticAddress): void {
    this.#addresses.set(keyOf(resource.name, resource.region), resource);
  }

  /** Releases an address. Returns false if it does not exist. */
  delete(name: string, region?: string): boolean {
    return this.#addresses.delete(keyOf(name, region));
  }

  clear(): void {
    this.#addresses.clear();
  }

  values(): StaticAddress[] {
    return [...this.#addresses.values()];
  }
}

function keyOf(name: string, region: string | undefined): string {
  return `${region ?? "global"}/${name}`;
}
