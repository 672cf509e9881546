import { createServer } from "node:net";
import { listenOnFreePort } from "../listen.ts";

/** Returns as many different free ports of 127.0.0.1 as there are names, by name. */
export async function freePorts<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  // All are held before the first is given up, else the system could hand out the same one twice.
  const servers = await Promise.all(
    names.map(async (name) => {
      const server = createServer();
      return { name, server, port: await listenOnFreePort(server) };
    }),
  );
  const ports = servers.map(({ name, port }): [Name, number] => [name, port]);
  await Promise.all(servers.map(({ server }) => new Promise((closed) => server.close(closed))));
  return Object.fromEntries(ports) as Record<Name, number>;
}
