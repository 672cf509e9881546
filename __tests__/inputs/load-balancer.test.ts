import { describe, expect, test } from "vitest";
import { readLoadBalancer } from "../../src/inputs/load-balancer.ts";
import { inputReader } from "../../src/inputs/reader.ts";
import type { LoadBalancerSettings } from "../../src/loadbalancer/settings.ts";
import { certificateWith, DAY, ECDSA_P384, encrypted, rsa, selfSigned } from "../support/certificates.ts";
import { HOST } from "../support/observed.ts";

function read(inputs: Record<string, string>, host = HOST) {
  const reader = inputReader((name) => inputs[name] ?? "");
  const settings = readLoadBalancer(reader, host, "my-release");
  return { settings, mistakes: reader.mistakes };
}

test("every input of the load balancer has a default", () => {
  expect(read({})).toEqual({
    mistakes: [],
    settings: {
      certificate: { kind: "self-managed", given: undefined },
      isCertificateGiven: false,
      isAllowHttpGiven: false,
      tlsSecret: "my-release-milvus-tls",
      ingressName: "my-release-milvus",
      backendConfigName: "my-release-backendconfig",
      frontendConfigName: "my-release-frontendconfig",
      backendConfig: {},
      frontendConfig: undefined,
      loadBalancer: "external",
      allowedRanges: [],
      allowHttp: false,
      backendTimeoutSeconds: 3600,
      staticIpName: undefined,
      createStaticIp: false,
      deleteStaticIp: false,
      dnsZone: undefined,
      dnsProjectId: undefined,
      adopt: false,
    } satisfies LoadBalancerSettings,
  });
});

describe("inputs that readLoadBalancer accepts", () => {
  const longest = "a".repeat(63);
  test.each<[string, Record<string, string>, Partial<LoadBalancerSettings>]>([
    ["Google's certificate", { certificate: "google-managed" }, { certificate: { kind: "google-managed" } }],
    [
      "a Secret that is there",
      { certificate: "secret", tls_secret: "mine" },
      { certificate: { kind: "secret" }, tlsSecret: "mine" },
    ],
    [
      "names at Google, by commas, blanks and lines",
      { certificate: "pre-shared", pre_shared_certificates: " a, b\r\nc\n\n d " },
      { certificate: { kind: "pre-shared", names: ["a", "b", "c", "d"] } },
    ],
    [
      "the longest and the shortest name at Google",
      { certificate: "pre-shared", pre_shared_certificates: `${longest},x` },
      { certificate: { kind: "pre-shared", names: [longest, "x"] } },
    ],
    ["an internal load balancer", { load_balancer: "internal" }, { loadBalancer: "internal" }],
    [
      "an internal one with a Secret",
      { load_balancer: "internal", certificate: "secret" },
      { loadBalancer: "internal", certificate: { kind: "secret" } },
    ],
    [
      "an internal one with HTTP, on a reserved address",
      { load_balancer: "internal", allow_http: "true", static_ip_name: "a" },
      { allowHttp: true, staticIpName: "a" },
    ],
    [
      "an internal one without what only external ones have",
      {
        load_balancer: "internal",
        backend_config: "{securityPolicy: , connectionDraining: {drainingTimeoutSec: 3600}}",
        frontend_config: "{sslPolicy: '', redirectToHttps: {enabled: false}}",
      },
      { loadBalancer: "internal" },
    ],
    [
      "an address to reserve and to release",
      { static_ip_name: "a", create_static_ip: "true", delete_static_ip: "true" },
      { staticIpName: "a", createStaticIp: true, deleteStaticIp: true },
    ],
    [
      "a DNS zone of another project",
      { dns_zone: "zone-1", dns_project_id: "p" },
      { dnsZone: "zone-1", dnsProjectId: "p" },
    ],
    [
      "ranges of clients, sorted, each once in its shortest form",
      { allowed_ranges: "203.0.113.0/24\n\n  192.0.2.7\r\n2001:DB8:0::/32, 192.0.2.7/32," },
      { allowedRanges: ["192.0.2.7/32", "2001:db8::/32", "203.0.113.0/24"] },
    ],
    ["objects of others", { adopt: "true" }, { adopt: true }],
    [
      "a BackendConfig",
      { backend_config: "securityPolicy:\n  name: armor\nlogging: {enable: yes}\n" },
      { backendConfig: { securityPolicy: { name: "armor" }, logging: { enable: true } } },
    ],
    [
      "a health check whose timeout is its interval",
      { backend_config: "healthCheck: {checkIntervalSec: 5, timeoutSec: 5}" },
      { backendConfig: { healthCheck: { checkIntervalSec: 5, timeoutSec: 5 } } },
    ],
    [
      "a health check's short interval alone",
      { backend_config: "healthCheck: {checkIntervalSec: 5}" },
      { backendConfig: { healthCheck: { checkIntervalSec: 5 } } },
    ],
    [
      "CDN switched off",
      { backend_config: "cdn: {enabled: false}" },
      { backendConfig: { cdn: { enabled: false } } },
    ],
    ["comments alone as a BackendConfig", { backend_config: "# none" }, { backendConfig: {} }],
    [
      "a FrontendConfig",
      { frontend_config: "sslPolicy: modern" },
      { frontendConfig: { sslPolicy: "modern" }, frontendConfigName: "my-release-frontendconfig" },
    ],
    [
      "a redirect from HTTP",
      { frontend_config: "redirectToHttps: {enabled: true}", allow_http: "true" },
      { frontendConfig: { redirectToHttps: { enabled: true } } },
    ],
    [
      "a redirect that is switched off",
      { frontend_config: "redirectToHttps: {enabled: false}" },
      { frontendConfig: { redirectToHttps: { enabled: false } } },
    ],
    ["no FrontendConfig", { frontend_config: " \n" }, { frontendConfig: undefined }],
  ])("%s", (_, inputs, expected) => {
    const { settings, mistakes } = read(inputs);
    expect(mistakes).toEqual([]);
    expect(settings).toMatchObject(expected);
  });
});

describe("inputs that are refused, naming the input, the value and what is allowed", () => {
  const GOOGLE_NAME = "a name at Google Cloud (lower-case letters, digits and '-', at most 63 characters)";
  const INTERNAL =
    "certificate: google-managed goes with load_balancer: external only: Google can't check a name with an internal address (use self-managed, secret or pre-shared)";
  const preShared = (names: string) => ({ certificate: "pre-shared", pre_shared_certificates: names });

  test.each<[string, Record<string, string>, string[]]>([
    [
      "an unknown kind of certificate",
      { certificate: "lets-encrypt" },
      ['certificate: "lets-encrypt" is not one of self-managed, google-managed, secret, pre-shared'],
    ],
    [
      "an unknown load balancer",
      { load_balancer: "global" },
      ['load_balancer: "global" is not one of external, internal'],
    ],
    ["Google's certificate inside", { certificate: "google-managed", load_balancer: "internal" }, [INTERNAL]],
    [
      "an address to reserve without a name",
      { create_static_ip: "true" },
      ["create_static_ip needs static_ip_name: the address's name"],
    ],
    [
      "an address to release without a name",
      { delete_static_ip: "true" },
      ["delete_static_ip needs static_ip_name: the address's name"],
    ],
    [
      "an address itself",
      { static_ip_name: "203.0.113.1" },
      [`static_ip_name: "203.0.113.1" is not ${GOOGLE_NAME}`],
    ],
    [
      "an address's path",
      { static_ip_name: "global/a" },
      [`static_ip_name: "global/a" is not ${GOOGLE_NAME}`],
    ],
    ["a zone's DNS name", { dns_zone: "milvus.io." }, [`dns_zone: "milvus.io." is not ${GOOGLE_NAME}`]],
    ["a zone in capitals", { dns_zone: "Zone" }, [`dns_zone: "Zone" is not ${GOOGLE_NAME}`]],
    ["a zone that begins with a digit", { dns_zone: "1z" }, [`dns_zone: "1z" is not ${GOOGLE_NAME}`]],
    ["a project without a zone", { dns_project_id: "p" }, ["dns_project_id goes with dns_zone only"]],
    [
      "HTTP inside on any address",
      { load_balancer: "internal", allow_http: "true" },
      [
        "allow_http with load_balancer: internal needs static_ip_name: ports 80 and 443 can share only a reserved address",
      ],
    ],
    [
      "whole objects",
      {
        backend_config: "apiVersion: cloud.google.com/v1\nspec: {timeoutSec: 40}",
        frontend_config: "kind: FrontendConfig\nspec: {sslPolicy: modern}",
      },
      [
        "frontend_config is a whole object: give what stands below its spec alone",
        "backend_config is a whole object: give what stands below its spec alone",
      ],
    ],
    [
      "a redirect from where nothing listens",
      { frontend_config: "redirectToHttps: {enabled: true}" },
      [
        "frontend_config: redirectToHttps needs allow_http: true: without it, nothing is on port 80 to redirect",
      ],
    ],
    [
      "what an internal load balancer can't have",
      {
        load_balancer: "internal",
        allow_http: "true",
        static_ip_name: "a",
        backend_config: "securityPolicy: {name: ''}",
        frontend_config: "{sslPolicy: modern, redirectToHttps: {enabled: true}}",
      },
      [
        "backend_config: securityPolicy goes with load_balancer: external only",
        "frontend_config: redirectToHttps goes with load_balancer: external only",
        "frontend_config: sslPolicy goes with load_balancer: external only",
      ],
    ],
    [
      "what is no range of clients",
      { allowed_ranges: "office\n203.0.113.5/24\n0.0.0.0/0\n::/0\n2001:db8::1/64" },
      [
        'allowed_ranges: "office" is not an IP range such as 203.0.113.0/24 or 2001:db8::/32',
        'allowed_ranges: "203.0.113.5/24" has bits after its prefix: write 203.0.113.0/24, or 203.0.113.5/32 for the one address',
        'allowed_ranges: "0.0.0.0/0" admits everybody: leave allowed_ranges out for that',
        'allowed_ranges: "::/0" admits everybody: leave allowed_ranges out for that',
        'allowed_ranges: "2001:db8::1/64" has bits after its prefix: write 2001:db8::/64, or 2001:db8::1/128 for the one address',
      ],
    ],
    [
      "ranges of clients for an internal load balancer",
      { load_balancer: "internal", allowed_ranges: "203.0.113.0/24" },
      [
        "allowed_ranges goes with load_balancer: external only: Google's internal load balancers can't have a Cloud Armor policy (a firewall rule or a network policy restricts their clients)",
      ],
    ],
    ...["securityPolicy: {name: armor}", "securityPolicy:"].map(
      (backend_config): [string, Record<string, string>, string[]] => [
        `ranges of clients beside ${backend_config}`,
        { backend_config, allowed_ranges: "203.0.113.0/24" },
        [
          "allowed_ranges makes a Cloud Armor policy, and backend_config names one (securityPolicy): a load balancer can have one of them only",
        ],
      ],
    ),
    [
      "an Ingress with a dot",
      { ingress_name: "my.ingress" },
      ["ingress_name: \"my.ingress\" has a dot, which the load balancer's name at Google can't have"],
    ],
    [
      "pods that take too long to leave",
      { backend_config: "connectionDraining: {drainingTimeoutSec: 3601}" },
      ["backend_config: connectionDraining.drainingTimeoutSec 3601 is above 3600: Google refuses that"],
    ],
    [
      "a FrontendConfig that is no map",
      { frontend_config: "- a" },
      ["frontend_config must be a YAML map, but holds a list."],
    ],
    [
      "a BackendConfig that doesn't parse",
      { backend_config: "a: b: c" },
      ["backend_config is not valid YAML at line 1, column 5: bad indentation of a mapping entry."],
    ],
    [
      "a health check that outlasts its interval",
      { backend_config: "healthCheck: {checkIntervalSec: 5, timeoutSec: 6}" },
      ["backend_config: healthCheck.timeoutSec 6 is above checkIntervalSec 5: Google refuses that"],
    ],
    [
      "a health check that outlasts our interval",
      { backend_config: "healthCheck: {timeoutSec: 16}" },
      ["backend_config: healthCheck.timeoutSec 16 is above checkIntervalSec 15: Google refuses that"],
    ],
    [
      "a plain health check",
      { backend_config: "healthCheck: tcp" },
      ["backend_config: healthCheck must be a map"],
    ],
    [
      "an emptied health check",
      { backend_config: "healthCheck:" },
      ["backend_config: healthCheck must be a map"],
    ],
    ["a plain cdn", { backend_config: "cdn: true" }, ["backend_config: cdn must be a map"]],
    [
      "CDN",
      { backend_config: "cdn: {enabled: true}" },
      ["backend_config: cdn.enabled: Cloud CDN doesn't cache gRPC, and breaks it"],
    ],
    [
      "no names at Google",
      preShared(" "),
      ["pre_shared_certificates is required: the names of SSL certificates at Google"],
    ],
    [
      "commas alone",
      preShared(" ,\n"),
      ['pre_shared_certificates: "," is not the names of SSL certificates at Google'],
    ],
    [
      "every bad name at Google",
      preShared("good,Bad,1st,-x,a/b"),
      ["Bad", "1st", "-x", "a/b"].map(
        (name) => `pre_shared_certificates: "${name}" is not a name of an SSL certificate at Google`,
      ),
    ],
    [
      "a name at Google of 64 characters",
      preShared("a".repeat(64)),
      [`pre_shared_certificates: "${"a".repeat(64)}" is not a name of an SSL certificate at Google`],
    ],
    [
      "names at Google with another kind",
      { pre_shared_certificates: "a" },
      ["pre_shared_certificates goes with certificate: pre-shared only"],
    ],
    [
      "a certificate with another kind",
      { certificate: "secret", tls_certificate: "x" },
      ["tls_certificate and tls_private_key go with certificate: self-managed only"],
    ],
    [
      "a key with another kind",
      { certificate: "google-managed", tls_private_key: "x" },
      ["tls_certificate and tls_private_key go with certificate: self-managed only"],
    ],
    [
      "a certificate without its key",
      { tls_certificate: "x" },
      ["tls_private_key is required: tls_certificate and tls_private_key belong together"],
    ],
    [
      "a key without its certificate",
      { tls_private_key: "x" },
      ["tls_certificate is required: tls_certificate and tls_private_key belong together"],
    ],
    ["adopt", { adopt: "all" }, ['adopt: "all" is not true or false']],
    ["create_static_ip", { create_static_ip: "1" }, ['create_static_ip: "1" is not true or false']],
  ])("%s", (_, inputs, mistakes) => {
    expect(read(inputs).mistakes).toEqual(mistakes);
  });

  const LONG = `${"a".repeat(52)}.example.com`;
  test.each([
    [
      "one label",
      "milvus",
      [
        'host: "milvus" is not a public name: Google makes no certificate for it (certificate: google-managed)',
      ],
    ],
    [
      "64 characters",
      LONG,
      [`host: "${LONG}" has more than 63 characters, the limit of certificate: google-managed`],
    ],
    ["63 characters", LONG.slice(1), []],
    ["none: that is said elsewhere", "", []],
  ])("a host of %s for a Google-managed certificate", (_, host, mistakes) => {
    expect(read({ certificate: "google-managed" }, host).mistakes).toEqual(mistakes);
    expect(read({}, host).mistakes).toEqual([]);
  });
});

describe("the certificate in tls_certificate", async () => {
  const from = Date.now() - DAY;
  const request = { subject: `CN=${HOST}`, names: [HOST], days: 90, from };
  const authority = await certificateWith({ subject: "CN=CA", days: 900, from, isAuthority: true });
  const good = await certificateWith(request, authority);
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const pair = (certificate: string, privateKey: string) => ({
    tls_certificate: certificate,
    tls_private_key: privateKey,
  });

  test.each([
    ["as it is", pair(good.certificate, good.privateKey)],
    ["with blanks around", pair(`\n ${good.certificate}\n\n`, `  ${good.privateKey}  `)],
    ["with CRLF", pair(good.certificate.replaceAll("\n", "\r\n"), good.privateKey.replaceAll("\n", "\r\n"))],
    ["indented", pair(good.certificate.replaceAll(/^/gm, "  "), good.privateKey.replaceAll(/^/gm, "\t"))],
    ["on one line", pair(good.certificate.replaceAll("\n", "\\n"), good.privateKey.replaceAll("\n", "\\n"))],
    ["in base64", pair(base64(good.certificate), `${base64(good.privateKey)}\n`)],
    ["without a newline at its end", pair(good.certificate.trim(), good.privateKey.trim())],
  ])("is accepted %s, and stored in the same form", (_, inputs) => {
    const { settings, mistakes } = read(inputs);
    expect(mistakes).toEqual([]);
    const { certificate, privateKey } = good;
    expect(settings.certificate).toEqual({ kind: "self-managed", given: { certificate, privateKey } });
  });

  const expired = await certificateWith({ ...request, from: from - 100 * DAY });
  const early = await certificateWith({ ...request, from: from + 3 * DAY });
  const elsewhere = await selfSigned("other.example.com");
  test("may have expired on a teardown", () => {
    const inputs = pair(expired.certificate, expired.privateKey);
    expect(read({ ...inputs, mode: "teardown" }).mistakes).toEqual([]);
    expect(read({ ...inputs, mode: "plan" }).mistakes).toHaveLength(1);
  });

  const short = await certificateWith({ ...request, algorithm: rsa(1024) });
  const p384 = await certificateWith({ ...request, algorithm: ECDSA_P384 });
  test.each<[string, Record<string, string>, RegExp[]]>([
    [
      "a chain in the wrong order",
      pair(authority.certificate + good.certificate, good.privateKey),
      [/^tls_certificate begins with an authority's certificate: the host's own comes first$/],
    ],
    [
      "the key of another",
      pair(good.certificate, authority.privateKey),
      [/^tls_private_key belongs to another/],
    ],
    [
      "an expired one",
      pair(expired.certificate, expired.privateKey),
      [/^tls_certificate has expired \(.+ GMT\)$/],
    ],
    [
      "one not valid yet",
      pair(early.certificate, early.privateKey),
      [/^tls_certificate is not valid before .+ GMT$/],
    ],
    [
      "another host's",
      pair(elsewhere.certificate, elsewhere.privateKey),
      [/^tls_certificate is not for milvus\./],
    ],
    [
      "RSA 1024",
      pair(short.certificate, short.privateKey),
      [/^tls_private_key is neither RSA with at least 2048/],
    ],
    [
      "ECDSA P-384",
      pair(p384.certificate, p384.privateKey),
      [/^tls_private_key is neither .+ nor ECDSA P-256/],
    ],
    [
      "an encrypted key",
      pair(good.certificate, encrypted(good.privateKey)),
      [/^tls_private_key is encrypted: give it without a passphrase$/],
    ],
    ["a path instead of PEM", pair("tls.crt", "tls.key"), [/^tls_certificate holds no PEM certificate/]],
    ["rubbish", pair(good.certificate, "rubbish"), [/^tls_private_key can't be read: /]],
  ])("%s is refused", (_, inputs, mistakes) => {
    expect(read(inputs).mistakes).toEqual(mistakes.map((mistake) => expect.stringMatching(mistake)));
  });

  test("no message shows any part of the key", () => {
    const lines = good.privateKey.split("\n").filter((line) => line.length > 20 && !line.startsWith("-"));
    expect(lines.length).toBeGreaterThan(0);
    for (const inputs of [pair(authority.certificate, good.privateKey), pair("x", good.privateKey)]) {
      for (const line of lines) expect(read(inputs).mistakes.join("\n")).not.toContain(line);
    }
  });
});
