import * as v from "valibot";
import { expect, test } from "vitest";
import { Ingress } from "../../src/kubernetes/objects.ts";
import { NOTHING_KEPT } from "../../src/loadbalancer/kept.ts";
import { describeLeaving, leavingIngress, withoutIngress } from "../../src/plan/leaving-ingress.ts";
import { liveObject, observed, STARTING } from "../support/observed.ts";

const NAME = "my-release-milvus";
const live = (metadata: object = {}) =>
  liveObject({ kind: "Ingress", metadata: { name: NAME, ...metadata } });
const ingress = (metadata: object = {}) => v.parse(Ingress, live(metadata));
const deletes = (kind: string, name = NAME) => ({ deletes: [{ kind, name }] });

test.each([
  ["that the upgrade deletes", ingress(), deletes("Ingress"), true],
  ["that is being deleted", ingress({ deletionTimestamp: "2030-01-01T00:00:00Z" }), undefined, true],
  ["of another name", ingress(), deletes("Ingress", "other"), false],
  ["while the upgrade deletes a Service of its name", ingress(), deletes("Service"), false],
  ["without an upgrade", ingress(), undefined, false],
  ["that isn't there", undefined, deletes("Ingress"), false],
])("an Ingress %s", (_, ingress, rendered, isLeaving) => {
  expect(leavingIngress({ ingress }, rendered)).toBe(isLeaving ? ingress : undefined);
});

test("what remains has no trace of the Ingress", () => {
  const secret = liveObject({ kind: "Secret", metadata: { name: NAME } });
  const kept = { ...NOTHING_KEPT, ingress: { ...NOTHING_KEPT.ingress, names: ["spec.tls"] } };
  const seen = {
    ...observed(STARTING, {}, [live(), secret]),
    kept,
    formerHosts: ["b.example.com"],
    ingressAddress: "203.0.113.1",
  };
  const rest = withoutIngress(seen, ingress());
  const gone = { ingress: undefined, ingressAddress: undefined, formerHosts: [], kept: NOTHING_KEPT };
  expect(rest).toEqual({ ...seen, objects: [secret], ...gone });
});

const STATIC = { annotations: { "kubernetes.io/ingress.global-static-ip-name": "theirs" } };

test.each([
  ["any address", {}, undefined, "only a reserved one (static_ip_name) stays"],
  ["a reserved one that isn't asked for", STATIC, undefined, "static_ip_name: theirs keeps the reserved one"],
  ["a reserved one that is asked for", STATIC, "ours", "The new one gets the reserved address ours."],
])("the address is named: %s", (_, metadata, staticIpName, says) => {
  const text = describeLeaving({ staticIpName }, ingress(metadata), "203.0.113.1");
  expect(text).toContain("its load balancer at 203.0.113.1 with it: clients reach nothing there");
  expect(text).toContain(says);
});
