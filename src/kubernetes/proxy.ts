import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { ActionError } from "../base/errors.ts";
import { type Output, type Program, run } from "../base/process.ts";
import { remedyOf } from "./remedies.ts";

/** A path for a Unix socket must fit into sockaddr_un: 104 bytes on macOS, 108 on Linux. */
const LONGEST_SOCKET_PATH = 103;
const SOCKET = "kubectl.sock";
const HAS_SOCKETS = process.platform !== "win32";
const SERVING = /^Starting to serve on (.+)$/;

/** A way to the API server that kubectl keeps open: it knows every kind of kubeconfig and renews its credentials. */
export interface KubectlProxy {
  /** How kubectl has ended, undefined while it runs. */
  readonly end: ActionError | undefined;
  /**
   * Sends one request and returns the answer once its head is there.
   *
   * @throws `end` when kubectl has ended; Error when there is no connection, or `signal` is aborted
   */
  send(
    method: string,
    path: string,
    options: { body?: string | undefined; contentType?: string; signal: AbortSignal },
  ): Promise<IncomingMessage>;
  /** Ends kubectl. */
  close(): Promise<void>;
}

/** Tells whether a folder's path leaves room for that of a socket in it. */
export function hasRoomForSocket(directory: string): boolean {
  return !HAS_SOCKETS || Buffer.byteLength(join(directory, SOCKET)) <= LONGEST_SOCKET_PATH;
}

/**
 * Starts `kubectl proxy`: one program for everything that is asked of the API server, where a kubectl for each question
 * would cost a tenth of a second. It listens on a socket in `directory`, which only this job's user can enter; where
 * there are no such sockets (Windows), on a port of the loopback interface.
 *
 * @throws ActionError when the kubeconfig can't be used, or the path of the folder is too long
 */
export async function startProxy(kubectl: Program, directory: string): Promise<KubectlProxy> {
  if (!hasRoomForSocket(directory)) {
    // Whoever is on the machine could use a port, which asks nobody for credentials.
    throw new ActionError(`The path of the folder ${directory} is too long for a socket in it.`, {
      fix: "set RUNNER_TEMP or TMPDIR, in the runner's environment, to a folder whose path has at most 72 bytes.",
    });
  }
  const socket = join(directory, SOCKET);
  const where = HAS_SOCKETS ? [`--unix-socket=${socket}`] : ["--address=127.0.0.1", "--port=0"];

  const ended = new AbortController();
  const serving = Promise.withResolvers<string>();
  // Rancher and Connect gateway tell their clusters apart by the path of the server's URL.
  const program = run(kubectl, ["proxy", "--append-server-path", ...where], {
    signal: ended.signal,
    onLine: (line) => {
      const [, address] = SERVING.exec(line) ?? [];
      if (address) serving.resolve(address);
    },
  });
  let end: ActionError | undefined;
  program.then((output) => {
    serving.reject(ownEnd("kubectl could not open a way to the cluster.", output));
    end = ownEnd("kubectl proxy, this action's way to the cluster, has ended.", output);
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
    send: (method, path, { body, contentType, signal }) =>
      new Promise((resolve, reject) => {
        if (end) throw end;
        const headers = {
          host: "localhost",
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

function ownEnd(what: string, { exitCode, stderr }: Output): ActionError {
  // Before its last words are those about each request that has failed.
  const why = stderr.trim().split("\n").at(-1) || `kubectl proxy ended with exit code ${exitCode}.`;
  return new ActionError(what, { why, ...remedyOf(why) });
}
