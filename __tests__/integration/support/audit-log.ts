import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { filesIn } from "../../../local-gke/control-plane/programs.ts";
import { DEPLOYER } from "../../../local-gke/control-plane/tokens.ts";

/** A request in the API server's audit log. */
export interface ApiRequest {
  verb: string;
  requestURI: string;
  objectRef?: { namespace?: string; resource: string; name?: string };
}

/** What the Google account of the jobs has asked the API server for, from its audit log. */
export class AuditLog {
  readonly #file: string;
  readonly #requests: ApiRequest[] = [];
  #bytes: number;
  /** Tests that run side by side read in turn. */
  #read: Promise<void> = Promise.resolve();

  private constructor(file: string, bytes: number) {
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Opens the log of a local GKE at its end. */
  static async open(directory: string): Promise<AuditLog> {
    const file = filesIn(directory).auditLog;
    return new AuditLog(file, (await stat(file)).size);
  }

  /** All requests since the log was opened. */
  async requests(): Promise<readonly ApiRequest[]> {
    this.#read = this.#read.then(() => this.#readOn());
    await this.#read;
    return this.#requests;
  }

  /** Goes on where it has ended before: the log of all test files grows to hundreds of megabytes. */
  async #readOn(): Promise<void> {
    const text = await buffer(createReadStream(this.#file, { start: this.#bytes }));
    const whole = text.subarray(0, text.lastIndexOf("\n") + 1);
    this.#bytes += whole.length;
    for (const line of whole.toString().split("\n")) {
      if (line.includes(DEPLOYER)) this.#requests.push(JSON.parse(line));
    }
  }
}

/** Tells whether the API server only says what a request would do. */
export function isDryRun({ requestURI }: ApiRequest): boolean {
  return requestURI.includes("dryRun=All");
}

/** Tells whether a request has changed something. */
export function isWrite(request: ApiRequest): boolean {
  return !["get", "list", "watch"].includes(request.verb) && !isDryRun(request);
}
