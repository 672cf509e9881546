import { once } from "node:events";
import { request } from "node:http";
import { BlockList, isIP, type Socket } from "node:net";
import { ActionError, messageOf } from "./errors.ts";
import { withoutLogin } from "./url.ts";

/** Where to connect: a name or an IP address, and a port. */
export interface Target {
  host: string;
  port: number;
}

/** Splits `host:port`; an IPv6 address stands in brackets. */
export function targetOf(address: string): Target {
  const { hostname, port } = new URL(`https://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || 443 };
}

/**
 * Returns the proxy for TLS connections to a target, undefined if there is none for it: `https_proxy` or
 * `HTTPS_PROXY`, except for what `no_proxy` or `NO_PROXY` lists and for this machine. kubectl and Helm follow
 * the same rules (golang.org/x/net/http/httpproxy).
 *
 * @throws ActionError if the proxy isn't an http:// URL
 */
export function proxyFor(target: Target, environment: NodeJS.ProcessEnv): URL | undefined {
  const variable = environment.https_proxy ? "https_proxy" : "HTTPS_PROXY";
  const text = environment[variable];
  if (!text || isLocal(target.host)) return undefined;
  const exceptions = (environment.no_proxy || environment.NO_PROXY || "").split(",");
  if (exceptions.some((exception) => isException(exception.trim().toLowerCase(), target))) return undefined;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url?.protocol === "http:") return url;
  throw new ActionError(`${variable} is not the URL of a proxy that this action can use.`, {
    fix: `set it to http://HOST:PORT, or list ${target.host} in NO_PROXY.`,
  });
}

/** The proxy has answered CONNECT with something other than 200. */
export class ProxyRefusal extends Error {
  readonly status: number;

  constructor(proxy: URL, { host, port }: Target, status: number) {
    super(`the proxy ${nameOf(proxy)} answers CONNECT ${host}:${port} with HTTP ${status}`);
    this.status = status;
  }
}

/**
 * Connects to a target through a proxy (RFC 9110, 9.3.6), and returns the connection.
 *
 * @throws ProxyRefusal when the proxy refuses, Error when it can't be reached or `signal` is aborted
 */
export async function openTunnel(proxy: URL, target: Target, signal: AbortSignal): Promise<Socket> {
  const login = loginOf(proxy);
  const path = `${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`;
  const connecting = request({
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: proxy.port || 80,
    method: "CONNECT",
    path,
    headers: {
      host: path,
      ...(login !== undefined && { "proxy-authorization": `Basic ${Buffer.from(login).toString("base64")}` }),
    },
    signal,
  });
  connecting.end();
  const [response, socket] = await once(connecting, "connect").catch((error: unknown) => {
    throw new Error(`the proxy ${nameOf(proxy)} can't be reached: ${messageOf(error)}`, { cause: error });
  });
  if (response.statusCode === 200) return socket;
  socket.destroy();
  throw new ProxyRefusal(proxy, target, response.statusCode);
}

/** Returns the proxy's URL without user and password. */
export function nameOf(proxy: URL): string {
  return withoutLogin(proxy.href).base;
}

/** Returns `user:password` of the proxy, undefined if it needs none. */
export function loginOf(proxy: URL): string | undefined {
  const { login } = withoutLogin(proxy.href);
  return login && `${login.user}:${login.password}`;
}

function isLocal(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

/**
 * Tells whether an entry of `NO_PROXY` covers a target: `*`, an IP address, a range or a
 * domain, perhaps with a port.
 */
function isException(entry: string, { host, port }: Target): boolean {
  if (entry === "*") return true;
  const isPlain = isIP(entry) > 0 || entry.includes("/");
  const [, name = "", only] = isPlain ? ["", entry] : (/^\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? []);
  if (name === "" || (only !== undefined && Number(only) !== port)) return false;
  if (isIP(host) > 0) return isInRange(host, name);
  const domain = name.replace(/^\*\./, ".");
  const isSubdomain = `.${host.toLowerCase()}`.endsWith(domain.startsWith(".") ? domain : `.${domain}`);
  // `.example.com` stands for its subdomains only.
  return isSubdomain && `.${host.toLowerCase()}` !== domain;
}

function isInRange(address: string, range: string): boolean {
  const [network = "", prefix] = range.split("/");
  const version = isIP(network);
  if (version === 0 || version !== isIP(address)) return false;
  const [family, longest] = version === 6 ? (["ipv6", 128] as const) : (["ipv4", 32] as const);
  const length = prefix === undefined ? longest : Number(prefix);
  if (!Number.isInteger(length) || length < 0 || length > longest) return false;
  const list = new BlockList();
  list.addSubnet(network, length, family);
  return list.check(address, family);
}
