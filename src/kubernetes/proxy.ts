import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { ActionError } from "../base/errors.ts";
import { type Output, type Program, run } from "../base/process.ts";
import { remedyOf } from "./remedies.ts";

/** The path of a Unix socket must fit into sockaddr_un: 104 bytes on macOS, 108 on Linux. */
const LONGEST_SOCKET_PATH = 103;
const SOCKET = "kubectl.sock";
const HAS_SOCKETS = process.platform !== "win32";
const SERVING = /^Starting to serve on (.+)$/;

/**
 * A connection to the API server through kubectl, which supports every kind of kubeconfig and renews
 * credentials.
 */
export interface KubectlProxy {
  /** Why kubectl has ended; undefined while it runs. */
  readonly end: ActionError | undefined;
  /**
   * Sends one request and returns the response as soon as its headers have arrived.
   *
   * @throws `end` when kubectl has ended; Error when there is no connection or `signal` is aborted
   */
  send(
    method: string,
    path: string,
    options: { body?: string | undefined; contentType?: string; accept?: string; signal: AbortSignal },
  ): Promise<IncomingMessage>;
  /** Ends kubectl. */
  close(): Promise<void>;
}

/** Tells whether a folder's path is short enough for a socket in it. */
export function hasRoomForSocket(directory: string): boolean {
  return !HAS_SOCKETS || Buffer.byteLength(join(directory, SOCKET)) <= LONGEST_SOCKET_PATH;
}

/**
 * Starts `kubectl proxy` for all requests to the API server: a kubectl for each request would take a tenth of
 * a second each time. It listens on a socket in `directory`, which only this job's user can enter. Windows
 * has no such sockets: there it listens on a port of the loopback interface.
 *
 * @param signal ends kubectl, also before it is ready
 * @throws ActionError when the kubeconfig can't be used, or the path of the folder is too long
 */
export async function startProxy(
  kubectl: Program,
  directory: string,
  signal?: AbortSignal,
): Promise<KubectlProxy> {
  if (!hasRoomForSocket(directory)) {
    // A port instead would let anyone on the machine in, without credentials.
    throw new ActionError(`The path of the folder ${directory} is too long for a socket in it.`, {
      fix: "set RUNNER_TEMP or TMPDIR, in the runner's environment, to a folder whose path has at most 72 bytes.",
    });
  }
  const socket = join(directory, SOCKET);
  const where = HAS_SOCKETS ? [`--unix-socket=${socket}`] : ["--address=127.0.0.1", "--port=0"];

  const ended = new AbortController();
  const serving = Promise.withResolvers<string>();
  // Rancher and Connect gateway have the cluster in the path of the server's URL.
  const program = run(kubectl, ["proxy", "--append-server-path", ...where], {
    signal: signal ? AbortSignal.any([ended.signal, signal]) : ended.signal,
    onLine: (line) => {
      const [, address] = SERVING.exec(line) ?? [];
      if (address) serving.resolve(address);
    },
  });
  let end: ActionError | undefined;
  program.then((output) => {
    serving.reject(endError("kubectl could not connect to the cluster.", output));
    end = endError("kubectl proxy, which connects this action to the cluster, has ended.", output);
  }, serving.reject);
  const address = await serving.promise;

  const target = HAS_SOCKETS
    ? { socketPath: socket }
    : { host: "127.0.0.1", port: Number(address.split(":").at(-1)) };
  const agent = new Agent({ keepAlive: true });
  return {
    get end() {
      return end;
    },
    send: (method, path, { body, contentType, accept, signal }) =>
      new Promise((resolve, reject) => {
        if (end) throw end;
        const headers = {
          host: "localhost",
          ...(accept !== undefined && { accept }),
          ...(body !== undefined && {
            "content-type": contentType,
            "content-length": Buffer.byteLength(body),
          }),
        };
        request({ ...target, agent, method, path, headers, signal }, resolve)
          .on("error", reject)
          .end(body);
      }),
    close: async () => {
      ended.abort();
      agent.destroy();
      await program;
    },
  };
}

function endError(what: string, { exitCode, stderr }: Output): ActionError {
  // The lines before the last one are about single requests that failed.
  const why = stderr.trim().split("\n").at(-1) || `kubectl proxy ended with exit code ${exitCode}.`;
  return new ActionError(what, { why, ...remedyOf(why) });
}
