import { expect, test } from "vitest";
import { FilterError, parseFilter } from "../../local-gke/google/compute-filter.ts";

const SUBNETS = [
  { name: "default", purpose: "PRIVATE" },
  { name: "proxies", purpose: "REGIONAL_MANAGED_PROXY", role: "ACTIVE" },
  { name: "more-proxies", purpose: "REGIONAL_MANAGED_PROXY", role: "BACKUP" },
];

test.each<[filter: string, names: string[]]>([
  ["", ["default", "proxies", "more-proxies"]],
  ["purpose = REGIONAL_MANAGED_PROXY", ["proxies", "more-proxies"]],
  ["purpose=REGIONAL_MANAGED_PROXY", ["proxies", "more-proxies"]],
  ['purpose="REGIONAL_MANAGED_PROXY"', ["proxies", "more-proxies"]],
  ["purpose != PRIVATE", ["proxies", "more-proxies"]],
  ["(purpose = REGIONAL_MANAGED_PROXY) AND (role = ACTIVE)", ["proxies"]],
  ["(purpose = REGIONAL_MANAGED_PROXY) (role = ACTIVE)", ["proxies"]],
  ["purpose = REGIONAL_MANAGED_PROXY AND role != ACTIVE", ["more-proxies"]],
  ["name eq .*proxies", ["proxies", "more-proxies"]],
  ["name eq proxies", ["proxies"]],
  ["name ne .*proxies", ["default"]],
  ["name = nobody", []],
])("the filter %j selects %j", (filter, names) => {
  expect(SUBNETS.filter(parseFilter(filter)).map(({ name }) => name)).toEqual(names);
});

test.each(["purpose", "purpose =", "purpose ~ x", "= x", "a = b OR c = d"])(
  "the filter %j is malformed",
  (filter) => {
    expect(() => parseFilter(filter)).toThrow(FilterError);
  },
);
