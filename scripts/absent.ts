// Takes the place of packages that the action's own packages name for functions that nothing here calls, or,
// as web-streams-polyfill, for other versions of Node.js. Node.js would parse them in each run.

/**
 * Of undici: @actions/http-client makes one in `getAgentDispatcher`, for callers
 * that bring their own `fetch`.
 */
export class ProxyAgent {
  constructor() {
    throw absent();
  }
}

/** Of @grpc/proto-loader: @grpc/grpc-js calls it in servers. */
export function loadSync(): never {
  throw absent();
}

function absent(): Error {
  return new Error("This package isn't in the bundle: see scripts/absent.ts.");
}
