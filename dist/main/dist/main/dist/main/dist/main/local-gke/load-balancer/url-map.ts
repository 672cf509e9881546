import type { UrlRule } from "../cloud.ts";

/**
 * Finds the backend for a request; undefined means the default backend. As in a URL map, if a host has its
 * own rules, only those apply. The longest matching path wins.
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
  // In GKE, an implementation-specific path is exact unless it ends with a wildcard, as in a URL map.
  if (pathType === "ImplementationSpecific" && pattern === "") return true;
  if (pathType === "ImplementationSpecific" && pattern.endsWith("/*")) {
    return path === pattern.slice(0, -2) || path.startsWith(pattern.slice(0, -1));
  }
  return path === pattern;
}
