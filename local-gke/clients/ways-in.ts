import { Resolver } from "node:dns/promises";

/** A way in which a client reaches Milvus. */
export interface WayIn {
  name: "old port" | "old port, TLS" | "new port";
  /** `host:port` */
  address: string;
  tls: boolean;
}

/**
 * Returns the ways through a layer-4 load balancer. Milvus speaks plaintext at
 * first, and TLS after the upgrade.
 */
export function layer4Ways(address: string): WayIn[] {
  return [
    { name: "old port", address: `${address}:19530`, tls: false },
    { name: "old port, TLS", address: `${address}:19530`, tls: true },
  ];
}

/** Returns the way through a layer-7 load balancer. */
export function layer7Way(address: string): WayIn {
  return { name: "new port", address: `${address}:443`, tls: true };
}

/**
 * The ways in at the addresses of a host. Like any resolver, it keeps an answer of DNS for the record's TTL.
 */
export class WaysByName {
  readonly #host: string;
  readonly #resolver = new Resolver();
  #answer: Promise<{ ways: WayIn[]; expires: number }> | undefined;

  /** @param server `IP:port` of the DNS server */
  constructor(host: string, server: string) {
    this.#host = host;
    this.#resolver.setServers([server]);
  }

  async ways(): Promise<WayIn[]> {
    const answer = await this.#answer;
    if (answer && performance.now() < answer.expires) return answer.ways;
    this.#answer = this.#ask();
    return (await this.#answer).ways;
  }

  forget(): void {
    this.#answer = undefined;
  }

  async #ask(): Promise<{ ways: WayIn[]; expires: number }> {
    const records = await this.#resolver.resolve4(this.#host, { ttl: true });
    const ttl = Math.min(...records.map((record) => record.ttl));
    const ways = records.flatMap(({ address }) => [...layer4Ways(address), layer7Way(address)]);
    return { ways, expires: performance.now() + 1000 * ttl };
  }
}
