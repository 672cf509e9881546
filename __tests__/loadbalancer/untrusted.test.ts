import { describe, expect, test } from "vitest";
import { refuseUntrusted } from "../../src/loadbalancer/untrusted.ts";
import { certificateWith, DAY, selfSigned } from "../support/certificates.ts";

const HOST = "milvus.example.com";

describe("a certificate that the check through the load balancer can't accept", async () => {
  const from = Date.now() - DAY;
  const authority = { days: 900, from, isAuthority: true };
  const root = await certificateWith({ subject: "CN=Root", ...authority });
  const between = await certificateWith({ subject: "CN=Between, O=Corp", ...authority }, root);
  const { certificate: leaf } = await certificateWith(
    { subject: `CN=${HOST}`, names: [HOST], days: 90, from },
    between,
  );
  const own = await selfSigned(HOST);

  test.each<[string, string, string[]]>([
    ["with its whole chain", leaf + between.certificate + root.certificate, []],
    ["with a chain in another order", leaf + root.certificate + between.certificate, []],
    ["with a chain that ends at a trusted authority", leaf + between.certificate, [root.certificate]],
    ["of a trusted intermediate", leaf, [between.certificate]],
    ["that is self-signed", own.certificate, []],
  ])("is not one %s", (_, certificate, trusted) => {
    expect(() => refuseUntrusted(certificate, HOST, trusted)).not.toThrow();
  });

  test.each<[string, string, string[], RegExp]>([
    ["without its chain", leaf, [root.certificate], /signed by .*CN=Between.*, which is neither/],
    ["of an authority that nobody here knows", leaf + between.certificate, [], /signed by CN=Root, which/],
    ["with another's chain", leaf + root.certificate, [], /signed by .*CN=Between/],
  ])("is one %s", (_, certificate, trusted, why) => {
    expect(() => refuseUntrusted(certificate, HOST, trusted)).toThrow(why);
  });
});
