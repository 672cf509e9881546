import * as v from "valibot";
import type { Cloud } from "../cloud.ts";
import { type Change, type ManagedZone, NAME_SERVERS, normalized, refusals } from "../dns/managed-zone.ts";
import { RECORD_TYPES, type RecordSet } from "../dns/record-types.ts";
import { type Timing, until } from "../ingress/timing.ts";
import {
  type Api,
  type ApiAnswer,
  type ApiRequest,
  bearerToken,
  disabled,
  googleError,
  jsonBody,
  legacyError,
  unknownMember,
} from "./http.ts";
import { type AccessTokens, unauthenticated } from "./token-services.ts";

/** In seconds (RFC 2181, 8). */
const LONGEST_TTL = 2 ** 31 - 1;

const ResourceRecordSet = v.strictObject({
  kind: v.exactOptional(v.string()),
  name: v.string(),
  type: v.picklist(RECORD_TYPES),
  ttl: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(LONGEST_TTL)),
  rrdatas: v.array(v.string()),
  signatureRrdatas: v.exactOptional(v.array(v.string())),
});

const ChangeBody = v.strictObject({
  kind: v.exactOptional(v.string()),
  additions: v.optional(v.array(ResourceRecordSet), []),
  deletions: v.optional(v.array(ResourceRecordSet), []),
});

/** A change that Cloud DNS accepted and may still have to publish. */
interface AcceptedChange extends Change {
  id: string;
  startTime: string;
  status: "pending" | "done";
}

/** dns.googleapis.com: `managedZones.get`, `resourceRecordSets.list`, `changes.create` and `changes.get`. */
export function cloudDns(cloud: Cloud, tokens: AccessTokens, timing: Timing, stopped: AbortSignal): Api {
  const changesOf = new WeakMap<ManagedZone, AcceptedChange[]>();

  const createChange = (zone: ManagedZone, request: ApiRequest): ApiAnswer => {
    const parsed = v.safeParse(ChangeBody, jsonBody(request));
    if (!parsed.success) return refusedMember(parsed.issues[0]);
    const additions = parsed.output.additions.map(recordSet);
    const deletions = parsed.output.deletions.map(recordSet);
    if (additions.length + deletions.length === 0) {
      const message = "The 'entity.change' parameter is required but was missing.";
      return legacyError(400, { reason: "required", message });
    }
    const refused = refusals(zone, { additions, deletions });
    const [first] = refused;
    if (first) return legacyError(first.code, ...refused);
    const changes = changesOf.get(zone) ?? [];
    const change: AcceptedChange = {
      id: `${changes.length + 1}`,
      startTime: new Date().toISOString(),
      status: "pending",
      additions,
      deletions,
    };
    changesOf.set(zone, [...changes, change]);
    zone.change(change);
    void publish(zone, change);
    return { status: 200, body: changeResource(change) };
  };

  const publish = async (zone: ManagedZone, change: AcceptedChange): Promise<void> => {
    const started = performance.now();
    await until(() => started + timing.insertDelayMs, stopped);
    if (stopped.aborted) return;
    zone.publish(change);
    change.status = "done";
  };

  const listRecordSets = ({ records, dnsName }: ManagedZone, { query }: ApiRequest): ApiAnswer => {
    const [name, type] = [query.get("name"), query.get("type")];
    if (type !== null && name === null) {
      const message = "The 'parameters.name' parameter is required but was missing.";
      return legacyError(400, { reason: "required", message });
    }
    const rrsets = records
      .below(dnsName)
      .filter(
        (set) => (name === null || set.name === name.toLowerCase()) && (type === null || set.type === type),
      )
      .toSorted((a, b) => (`${a.name} ${a.type}` < `${b.name} ${b.type}` ? -1 : 1));
    return {
      status: 200,
      body: { kind: "dns#resourceRecordSetsListResponse", rrsets: rrsets.map(recordSetResource) },
    };
  };

  return (request) => {
    if (!tokens.accepts(bearerToken(request))) return unauthenticated();
    const [, projectId, zoneName = "", collection, id] =
      /^\/projects\/([^/]+)\/managedZones\/([^/]+)(?:\/(rrsets|changes)(?:\/([^/]+))?)?$/.exec(
        request.path,
      ) ?? [];
    const target = collection === undefined ? "" : ` ${collection}`;
    const method = `${request.method}${target}${id === undefined ? "" : "/ID"}`;
    if (projectId === undefined) return googleError(404, "NOT_FOUND", "Not Found");
    if (cloud.faults.has("disabled-dns-api")) return disabled("Cloud DNS", "dns");
    const refused = method === "POST changes" && cloud.faults.has("refuse-dns-changes");
    if (projectId !== cloud.projectId || refused) {
      return legacyError(403, { reason: "forbidden", message: "Forbidden" });
    }
    const zone = cloud.managedZones.get(zoneName);
    if (!zone) return missing("parameters.managedZone", zoneName);
    switch (method) {
      case "GET":
        return { status: 200, body: zoneResource(zone) };
      case "GET rrsets":
        return listRecordSets(zone, request);
      case "POST changes":
        return createChange(zone, request);
      case "GET changes/ID": {
        const change = changesOf.get(zone)?.find((each) => each.id === id);
        return change
          ? { status: 200, body: changeResource(change) }
          : missing("parameters.changeId", decodeURIComponent(id ?? ""));
      }
      default:
        return googleError(404, "NOT_FOUND", "Not Found");
    }
  };
}

function recordSet({ name, type, ttl, rrdatas }: v.InferOutput<typeof ResourceRecordSet>): RecordSet {
  return { name, type, ttl, values: rrdatas.map((value) => normalized(type, value)) };
}

function recordSetResource({ name, type, ttl, values }: RecordSet): object {
  return { kind: "dns#resourceRecordSet", name, type, ttl, rrdatas: values, signatureRrdatas: [] };
}

function zoneResource({ name, dnsName, visibility }: ManagedZone): object {
  const nameServers = visibility === "public" && { nameServers: NAME_SERVERS };
  return { kind: "dns#managedZone", name, dnsName, description: "", visibility, ...nameServers };
}

function changeResource({ id, startTime, status, additions, deletions }: AcceptedChange): object {
  const sets = (name: string, of: RecordSet[]) => of.length > 0 && { [name]: of.map(recordSetResource) };
  return {
    kind: "dns#change",
    id,
    startTime,
    status,
    ...sets("additions", additions),
    ...sets("deletions", deletions),
    isServing: false,
  };
}

function missing(parameter: string, name: string): ApiAnswer {
  return legacyError(404, {
    reason: "notFound",
    message: `The '${parameter}' resource named '${name}' does not exist.`,
  });
}

function refusedMember(issue: v.BaseIssue<unknown>): ApiAnswer {
  const path = v.getDotPath(issue) ?? "";
  if (issue.type === "strict_object" && issue.expected === "never") return unknownMember(path);
  const entity = `entity.change${path && `.${path.replaceAll(/\.(\d+)/g, "[$1]")}`}`;
  return legacyError(400, {
    reason: "invalid",
    message: `Invalid value for '${entity}': '${String(issue.input)}'`,
  });
}
