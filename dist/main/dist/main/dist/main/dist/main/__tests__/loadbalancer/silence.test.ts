import * as v from "valibot";
import { expect, test } from "vitest";
import { Ingress } from "../../src/kubernetes/objects.ts";
import { silenceAbout } from "../../src/loadbalancer/silence.ts";

const CLASS = "kubernetes.io/ingress.class";
const FINALIZER = "networking.gke.io/ingress-finalizer-V2";

test.each<[what: string, metadata: object, spec: object, id: string, text: RegExp]>([
  ["nobody's finalizer", { annotations: { [CLASS]: "gce" } }, {}, "no-ingress-controller", /no controller/],
  [
    "the controller's finalizer",
    { annotations: { [CLASS]: "gce" }, finalizers: [FINALIZER] },
    {},
    "no-address-yet",
    /has taken the Ingress on/,
  ],
  [
    "another class",
    { annotations: { [CLASS]: "nginx" }, finalizers: [FINALIZER] },
    {},
    "other-ingress-class",
    /class is nginx/,
  ],
  ["a class in its spec", {}, { ingressClassName: "nginx" }, "other-ingress-class", /class is nginx/],
  ["no class", {}, {}, "other-ingress-class", /class is \(none\)/],
  ["the internal class", { annotations: { [CLASS]: "gce-internal" } }, {}, "other-ingress-class", /gce-int/],
])("an Ingress without an address and without events: %s", (_, metadata, spec, id, text) => {
  const ingress = v.parse(Ingress, { metadata: { name: "m", ...metadata }, spec });
  const found = silenceAbout(ingress, "gce");
  expect(found.symptom.id).toBe(id);
  expect(found.text).toMatch(text);
});
