/** Takes the place of undici's ProxyAgent in the bundle. Only HttpClient.getAgentDispatcher makes one, which nothing calls. */
export class ProxyAgent {
  constructor() {
    throw new Error("undici is not in this bundle: see scripts/build.ts.");
  }
}
