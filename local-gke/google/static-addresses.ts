/** What an address is reserved with. */
export interface AddressSettings {
  /** None for a global one. */
  region?: string | undefined;
  addressType?: "EXTERNAL" | "INTERNAL";
  purpose?: "GCE_ENDPOINT" | "SHARED_LOADBALANCER_VIP" | undefined;
  /** Name of an internal one's subnetwork. */
  subnetwork?: string | undefined;
  description?: string | undefined;
}

/** A reserved address. */
export interface StaticAddress extends AddressSettings {
  name: string;
  address: string;
}

/** The reserved addresses of a project: a name is one per region, and one globally. */
export class StaticAddresses {
  readonly #addresses = new Map<string, StaticAddress>();

  /** Returns the IP address of a name, or undefined when it isn't reserved. */
  get(name: string, region?: string): string | undefined {
    return this.resource(name, region)?.address;
  }

  resource(name: string, region?: string): StaticAddress | undefined {
    return this.#addresses.get(keyOf(name, region));
  }

  set(resource: StaticAddress): void {
    this.#addresses.set(keyOf(resource.name, resource.region), resource);
  }

  /** Gives an address up and says whether there was one. */
  delete(name: string, region?: string): boolean {
    return this.#addresses.delete(keyOf(name, region));
  }

  values(): StaticAddress[] {
    return [...this.#addresses.values()];
  }
}

function keyOf(name: string, region: string | undefined): string {
  return `${region ?? "global"}/${name}`;
}
