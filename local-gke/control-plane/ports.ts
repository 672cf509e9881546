import { once } from "node:events";
import { createServer } from "node:net";

/** Returns as many different free ports of 127.0.0.1 as there are names, by name. */
export async function freePorts<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  // All are held before the first is given up, else the system could hand out the same one twice.
  const servers = await Promise.all(
    names.map(async (name) => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return { name, server };
    }),
  );
  const ports = servers.map(({ name, server }): [Name, number] => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server has no port");
    return [name, address.port];
  });
  await Promise.all(servers.map(({ server }) => new Promise((closed) => server.close(closed))));
  return Object.fromEntries(ports) as Record<Name, number>;
}
