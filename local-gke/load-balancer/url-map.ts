import type { UrlRule } from "../cloud.ts";

/**
 * Returns the backend that serves a request, or undefined when only the default backend is left. As in a URL map
 * a host that has rules of its own is matched against these alone; the longest path that matches wins.
 *
 * @param authority `host` or `host:port`
 * @param target path and query
 */
export function backendFor(rules: UrlRule[], authority: string, target: string): string | undefined {
  const host = authority.replace(/:\d+$/, "").toLowerCase();
  const path = target.replace(/[?#].*$/s, "");
  const candidates = [
    rules.filter((rule) => rule.host?.toLowerCase() === host),
    rules.filter((rule) => rule.host?.startsWith("*.") && host.endsWith(rule.host.slice(1).toLowerCase())),
    rules.filter((rule) => rule.host === undefined),
  ].find(({ length }) => length > 0);
  const matching = candidates?.filter((rule) => matches(rule, path)) ?? [];
  return matching.reduce<UrlRule | undefined>(
    (best, rule) =>
      best && (best.pathType === "Exact" || best.path.length >= rule.path.length) ? best : rule,
    undefined,
  )?.backend;
}

function matches({ path: pattern, pathType }: UrlRule, path: string): boolean {
  if (pathType === "Prefix") {
    const prefix = pattern.replace(/\/$/, "");
    return path === prefix || path.startsWith(`${prefix}/`);
  }
  // GKE reads an implementation-specific path as a URL map does: exact, unless it ends with a wildcard.
  if (pathType === "ImplementationSpecific" && pattern === "") return true;
  if (pathType === "ImplementationSpecific" && pattern.endsWith("/*")) {
    return path === pattern.slice(0, -2) || path.startsWith(pattern.slice(0, -1));
  }
  return path === pattern;
}
