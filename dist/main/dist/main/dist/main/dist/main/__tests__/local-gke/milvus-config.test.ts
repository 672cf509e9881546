import { describe, expect, it } from "vitest";
import { authenticationError } from "../../local-gke/milvus/authorization.ts";
import { proxyConfig } from "../../local-gke/milvus/config.ts";

const plain = { tlsMode: 0, authorization: false, restPort: undefined, panic: undefined };
const shared = "proxy server(http) and external grpc server share the same port, tls mode must be 0";

describe("proxyConfig", () => {
  it.each([
    { what: "no files", files: [], expected: plain },
    { what: "empty files and comments", files: ["", "# nothing\n"], expected: plain },
    {
      what: "a key that the chart renders twice",
      files: [
        "mq: {type: woodpecker}\ncommon: {security: {authorizationEnabled: true}}\nmq: {type: woodpecker}",
      ],
      expected: { ...plain, authorization: true },
    },
    {
      what: "authentication in JSON syntax",
      files: ['{"common": {"security": {"authorizationEnabled": true}}}'],
      expected: { ...plain, authorization: true },
    },
    {
      what: "TLS without a port for HTTP",
      files: ["common: {security: {tlsMode: 1}}"],
      expected: { ...plain, tlsMode: 1, panic: shared },
    },
    {
      what: "TLS with an empty port for HTTP",
      files: ["common: {security: {tlsMode: 1}}\nproxy: {http: {port: ''}}"],
      expected: { ...plain, tlsMode: 1, panic: shared },
    },
    {
      what: "TLS with a port for HTTP, from two files",
      files: ["proxy: {port: 19530, http: {port: 8080}}", "common: {security: {tlsMode: 2}}"],
      expected: { ...plain, tlsMode: 2, restPort: 8080 },
    },
    {
      what: "TLS without HTTP, keys in another case",
      files: ["Common: {Security: {TLSMode: '1'}}\nproxy: {http: {enabled: 'false'}}"],
      expected: { ...plain, tlsMode: 1 },
    },
    {
      what: "a later file that switches TLS off",
      files: ["common: {security: {tlsMode: 1}}", "common: {security: {tlsMode: 0}}"],
      expected: plain,
    },
  ])("reads $what", ({ files, expected }) => {
    expect(proxyConfig(files)).toEqual(expected);
  });
});

describe("authenticationError", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  it.each([
    { header: undefined, expected: "missing authorization in header" },
    { header: base64("root:Milvus"), expected: undefined },
    {
      header: base64("root:wrong"),
      expected: "auth check failure, please check username and password are correct",
    },
    { header: base64("key"), expected: "auth check failure, please check api key is correct" },
    { header: "", expected: "auth check failure, please check api key is correct" },
  ])("of $header is $expected", ({ header, expected }) => {
    expect(authenticationError(header)).toBe(expected);
  });
});
