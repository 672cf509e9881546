import * as v from "valibot";
import type { Cloud } from "../cloud.ts";
import { invalid, notFound, refusedMember } from "./compute-errors.ts";
import type { OperationError, Operations } from "./compute-operations.ts";
import { addressResource, type Scope, usersOf } from "./compute-resources.ts";
import { type ApiAnswer, type ApiRequest, jsonBody, legacyError } from "./http.ts";
import type { StaticAddress } from "./static-addresses.ts";

const Address = v.strictObject({
  name: v.string(),
  description: v.exactOptional(v.string()),
  addressType: v.exactOptional(v.picklist(["EXTERNAL", "INTERNAL"])),
  purpose: v.exactOptional(v.picklist(["GCE_ENDPOINT", "SHARED_LOADBALANCER_VIP"])),
  subnetwork: v.exactOptional(v.string()),
  ipVersion: v.exactOptional(v.literal("IPV4")),
  networkTier: v.exactOptional(v.literal("PREMIUM")),
});

const NAME = "(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)";
const STATIC_ADDRESSES_LIMIT = 8;

/** `addresses` and `globalAddresses` of the Compute API. */
export class Addresses {
  readonly #cloud: Cloud;
  readonly #operations: Operations;
  /** Reservations in progress, by path. */
  readonly #reserving = new Map<string, Omit<StaticAddress, "address">>();

  constructor(cloud: Cloud, operations: Operations) {
    this.#cloud = cloud;
    this.#operations = operations;
  }

  list(scope: Scope): Record<string, unknown>[] {
    const here = this.#cloud.staticAddresses.values().filter(({ region }) => region === scope.region);
    return here.map((each) => addressResource(this.#cloud, scope, each));
  }

  get(scope: Scope, name: string): Record<string, unknown> | undefined {
    const reserving = this.#reserving.get(pathOf(scope, name));
    const found = reserving ?? this.#cloud.staticAddresses.resource(name, scope.region);
    return found && addressResource(this.#cloud, scope, found);
  }

  insert(scope: Scope, request: ApiRequest): ApiAnswer {
    const parsed = v.safeParse(Address, jsonBody(request));
    if (!parsed.success) return refusedMember(parsed.issues[0]);
    const refused = this.#refusal(scope, parsed.output);
    if (refused) return refused;
    const { name, description, addressType, purpose, subnetwork } = parsed.output;
    const path = pathOf(scope, name);
    if (this.get(scope, name)) {
      return legacyError(409, { reason: "alreadyExists", message: `The resource '${path}' already exists` });
    }
    const settings = {
      region: scope.region,
      description,
      ...(addressType && { addressType }),
      purpose,
      subnetwork: subnetwork?.split("/").at(-1),
    };
    this.#reserving.set(path, { name, ...settings });
    return this.#operations.start("insert", scope, path, request, () => {
      this.#reserving.delete(path);
      if (this.#cloud.faults.has("static-address-quota")) return quotaExceeded(scope);
      this.#cloud.reserveAddress(name, settings);
      return undefined;
    });
  }

  delete(scope: Scope, name: string, request: ApiRequest): ApiAnswer {
    const path = pathOf(scope, name);
    const { staticAddresses } = this.#cloud;
    const address = staticAddresses.get(name, scope.region);
    if (address === undefined) return notFound(path);
    const [user] = usersOf(this.#cloud, scope, address);
    if (user !== undefined) {
      const message = `The address resource '${path}' is already being used by '${user}'`;
      return legacyError(400, { reason: "resourceInUseByAnotherResource", message });
    }
    return this.#operations.start("delete", scope, path, request, () => {
      staticAddresses.delete(name, scope.region);
      return undefined;
    });
  }

  /** Why the API refuses to reserve an address; undefined if it accepts it. */
  #refusal(scope: Scope, address: v.InferOutput<typeof Address>): ApiAnswer | undefined {
    const { name, addressType = "EXTERNAL", purpose, subnetwork } = address;
    if (!new RegExp(`^${NAME}$`).test(name)) {
      return invalid("resource.name", name, `Must be a match of regex '${NAME}'`);
    }
    if (addressType === "EXTERNAL") {
      if (purpose === undefined) return undefined;
      return invalid("resource.purpose", purpose, "Purpose can be specified for internal addresses only.");
    }
    if (scope.region === undefined) {
      const why = "Global addresses of this type need another purpose.";
      return invalid("resource.addressType", addressType, why);
    }
    if (subnetwork === undefined) return undefined;
    const [, region, short = ""] = /(?:^|\/)regions\/([^/]+)\/subnetworks\/([^/]+)$/.exec(subnetwork) ?? [];
    if (region === scope.region && this.#cloud.subnetworks.get(short)?.region === region) return undefined;
    const why = "The referenced subnetwork resource cannot be found.";
    return invalid("resource.subnetwork", subnetwork, why);
  }
}

function pathOf(scope: Scope, name: string): string {
  return `${scope.path}/addresses/${name}`;
}

function quotaExceeded({ region }: Scope): OperationError {
  const where = region === undefined ? "globally" : `in region ${region}`;
  const message = `Quota 'STATIC_ADDRESSES' exceeded.  Limit: ${STATIC_ADDRESSES_LIMIT}.0 ${where}.`;
  return { code: "QUOTA_EXCEEDED", message };
}
