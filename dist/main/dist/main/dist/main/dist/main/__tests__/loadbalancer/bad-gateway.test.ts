import * as v from "valibot";
import { expect, test } from "vitest";
import { ActionError } from "../../src/base/errors.ts";
import { Service } from "../../src/kubernetes/objects.ts";
import { explainingBadGateway } from "../../src/loadbalancer/bad-gateway.ts";

const service = (protocols: string) => ({
  state: "present" as const,
  object: v.parse(Service, {
    metadata: { name: "m", annotations: { "cloud.google.com/app-protocols": protocols } },
    spec: { ports: [{ name: "milvus", port: 19_530 }] },
  }),
});
const RIGHT = service('{"milvus":"HTTP2"}');
const WRONG = service('{"19530":"HTTP2"}');
const answered = (symptom: string) =>
  new ActionError("Milvus has not answered at a as h within 20s.", {
    why: "14 UNAVAILABLE: Received HTTP status code 502",
    fix: "look",
    symptom,
  });

test("a 502 with a Service that has lost its protocol is explained by that", async () => {
  const explained = explainingBadGateway({ service: WRONG }, () => Promise.reject(answered("bad-gateway")));
  await expect(explained).rejects.toMatchObject({ symptom: "app-protocols-port" });
  await expect(explained).rejects.toThrow(
    /^Milvus has not answered at a as h within 20s\.\nWhy: 14 UNAVAILABLE: .* 502; .* names 19530, and the Service's ports are named milvus\nWhat to do: find out what changes/,
  );
});

test.each<[what: string, error: Error, state: Parameters<typeof explainingBadGateway>[0]]>([
  ["a 502 with a sound Service", answered("bad-gateway"), { service: RIGHT }],
  ["a 502 without a Service", answered("bad-gateway"), { service: { state: "deleted" } }],
  ["another answer", answered("no-route"), { service: WRONG }],
  ["another error", new Error("bad-gateway"), { service: WRONG }],
])("%s stays as it is", async (_, error, state) => {
  await expect(explainingBadGateway(state, () => Promise.reject(error))).rejects.toBe(error);
});
