import { request } from "node:https";

/** How to reach an API server. */
export interface ApiServer {
  port: number;
  caCertificate: string;
  token: string;
}

/**
 * Sends one request to the API server and returns the response, whatever its status.
 *
 * @throws Error without a response, e.g. ECONNREFUSED while the API server starts
 */
export function callApi(
  server: ApiServer,
  method: "GET" | "POST",
  path: string,
  body?: object,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({
      host: "127.0.0.1",
      port: server.port,
      method,
      path,
      ca: server.caCertificate,
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
    });
    call.on("error", reject);
    call.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.end(body && JSON.stringify(body));
  });
}
