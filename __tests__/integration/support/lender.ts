import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import * as v from "valibot";
import type { TestProject } from "vitest/node";
import { type LocalGke, up } from "../../../local-gke/cluster.ts";
import { listenOnFreePort } from "../../../local-gke/listen.ts";

/*
 * Lends local GKEs to test files. A file has one to itself, and the next file gets the same one: a
 * start takes ten seconds of CPU time, more than many files need. The clusters belong to Vitest's
 * main process and end with it.
 */

declare module "vitest" {
  interface ProvidedContext {
    /** URL of the lender. */
    lender: string;
  }
}

const Lease = v.object({ borrower: v.string() });

/** What a test file says when it gives its cluster back. */
const Return = v.object({
  borrower: v.string(),
  name: v.string(),
  /** Whether another file may have the cluster. */
  good: v.boolean(),
  /** The namespaces that the file has made. They stay: to delete them takes as much time as a new cluster. */
  namespaces: v.array(v.string()),
});

interface Lent {
  gke: LocalGke;
  borrowers: Set<string>;
  namespaces: number;
}

/** The pods of all namespaces share two nodes, which hold 1000. A release has up to seven. */
const MOST_NAMESPACES = 120;

/** Vitest's global set-up. A cluster starts when a file asks for one and none is free. */
export default async function lend(project: TestProject): Promise<() => Promise<void>> {
  // For the programs of the clusters: garbage is collected less often, for there
  // is more memory than CPU time.
  process.env.GOGC ??= "400";
  const all = new Map<string, Lent>();
  const free: Lent[] = [];
  const ends: Promise<void>[] = [];
  const makers = new Map<string, string>();

  const lease = async (body: unknown): Promise<object> => {
    const { borrower } = v.parse(Lease, body);
    // A file that runs once more, with another Helm, finds its namespaces in the cluster that it had.
    const index = free.findIndex(({ borrowers }) => !borrowers.has(borrower));
    const [kept] = index < 0 ? [] : free.splice(index, 1);
    const lent = kept ?? { gke: await up({ name: newName() }), borrowers: new Set(), namespaces: 0 };
    lent.borrowers.add(borrower);
    all.set(lent.gke.name, lent);
    return lent.gke;
  };

  const takeBack = (body: unknown): object => {
    const { borrower, name, good, namespaces } = v.parse(Return, body);
    const lent = all.get(name);
    if (!lent) throw new Error(`${name} is not lent`);
    lent.namespaces += namespaces.length;
    if (good && lent.namespaces < MOST_NAMESPACES) free.push(lent);
    else {
      all.delete(name);
      ends.push(lent.gke.down());
    }
    const taken = namespaces.filter((namespace) => (makers.get(namespace) ?? borrower) !== borrower);
    for (const namespace of namespaces) makers.set(namespace, borrower);
    return { taken };
  };

  const server = createServer(async (request, response) => {
    try {
      const body = await json(request);
      const answer = request.url === "/lease" ? await lease(body) : takeBack(body);
      response.end(JSON.stringify(answer));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  const port = await listenOnFreePort(server);
  project.provide("lender", `http://127.0.0.1:${port}`);
  return async () => {
    server.close();
    server.closeAllConnections();
    await Promise.all([...ends, ...[...all.values()].map(({ gke }) => gke.down())]);
  };
}

function newName(): string {
  return `tests-${randomUUID().slice(0, 8)}`;
}
