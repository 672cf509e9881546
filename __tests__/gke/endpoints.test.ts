import { describe, expect, test } from "vitest";
import { baseUrl, type GoogleService, redirected } from "../../src/gke/endpoints.ts";

const SERVICES: [GoogleService, string][] = [
  ["container", "https://container.googleapis.com/v1"],
  ["sts", "https://sts.googleapis.com/v1"],
  ["iamcredentials", "https://iamcredentials.googleapis.com/v1"],
  ["oauth2", "https://oauth2.googleapis.com"],
  ["connectgateway", "https://connectgateway.googleapis.com/v1"],
  ["compute", "https://compute.googleapis.com/compute/v1"],
  ["dns", "https://dns.googleapis.com/dns/v1"],
];

describe("baseUrl", () => {
  test.each(SERVICES)("%s is Google's own", (service, expected) => {
    expect(baseUrl(service, {})).toBe(expected);
  });

  test.each(SERVICES)("%s can be overridden whole", (service) => {
    const environment = { [`GHA_ENDPOINT_OVERRIDE_${service}`]: "http://127.0.0.1:8080/v9/" };
    expect(baseUrl(service, environment)).toBe("http://127.0.0.1:8080/v9");
  });

  test("an empty override counts as none", () => {
    expect(baseUrl("sts", { GHA_ENDPOINT_OVERRIDE_sts: "" })).toBe("https://sts.googleapis.com/v1");
  });

  test("another universe has its own host names", () => {
    expect(baseUrl("container", {}, "example.goog")).toBe("https://container.example.goog/v1");
  });
});

describe("redirected", () => {
  const environment = {
    GHA_ENDPOINT_OVERRIDE_sts: "http://127.0.0.1:1/sts",
    GHA_ENDPOINT_OVERRIDE_oauth2: "http://127.0.0.1:1/oauth2",
  };
  test.each([
    ["https://sts.googleapis.com/v1/token", "http://127.0.0.1:1/sts/token"],
    ["https://oauth2.googleapis.com/token", "http://127.0.0.1:1/oauth2/token"],
    ["https://iamcredentials.googleapis.com/v1/x:y", "https://iamcredentials.googleapis.com/v1/x:y"],
    ["https://sts.googleapis.com/v1beta/token", "https://sts.googleapis.com/v1beta/token"],
    ["https://sts.googleapis.com.evil.example/v1/token", "https://sts.googleapis.com.evil.example/v1/token"],
  ])("%s -> %s", (url, expected) => {
    expect(redirected(url, environment)).toBe(expected);
  });
});
