import { expect, test } from "vitest";
import { resultJson, resultTable } from "../../src/by-hand/result.ts";

const OUTPUTS = {
  endpoint: "https://203.0.113.1:443",
  changed: "false",
  plan: '{"upgrade":[]}',
  odd: "{not JSON",
  ca_certificate: "-----BEGIN CERTIFICATE-----\nQUJD",
  empty: "",
};

test("people get the outputs that fit into a line", () => {
  expect(resultTable(OUTPUTS).split("\n")).toEqual([
    "endpoint  https://203.0.113.1:443",
    "changed   false",
    'plan      {"upgrade":[]}',
    "odd       {not JSON",
  ]);
  expect(resultTable({})).toBe("");
});

test("programs get all of them, JSON as such", () => {
  expect(JSON.parse(resultJson(OUTPUTS))).toEqual({ ...OUTPUTS, plan: { upgrade: [] } });
});
