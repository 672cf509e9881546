import { createServer } from "node:net";
import { listenOnFreePort } from "../listen.ts";

/** Finds a different free port of 127.0.0.1 for each name. */
export async function freePorts<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  // Listening on all of them at once keeps the system from choosing one port twice.
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
