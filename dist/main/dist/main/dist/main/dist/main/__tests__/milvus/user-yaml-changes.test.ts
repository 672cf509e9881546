import { expect, test } from "vitest";
import { userYamlChanges } from "../../src/milvus/user-yaml-changes.ts";

const TLS = { path: "common.security.tlsMode", before: undefined, after: "1", isOurs: true };
const PORT = { path: "proxy.http.port", before: undefined, after: "8080", isOurs: true };

test.each([
  [
    "what this action sets in a text that there was not",
    undefined,
    "common:\n  security:\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n",
    [TLS, PORT],
  ],
  [
    "what it adds beside others",
    "common:\n  security:\n    authorizationEnabled: true # keep\n",
    "common:\n  security:\n    authorizationEnabled: true # keep\n    tlsMode: 1\n",
    [TLS],
  ],
  [
    "what users change",
    "log: {level: info, file: 0755}",
    "log: {level: debug}",
    [
      { path: "log.level", before: "info", after: "debug", isOurs: false },
      { path: "log.file", before: "0755", after: undefined, isOurs: false },
    ],
  ],
  [
    "what goes",
    "common: {Security: {TLSMode: 1}}",
    "",
    [{ path: "common.Security.TLSMode", before: "1", after: undefined, isOurs: true }],
  ],
  ["nothing where only a comment differs", "a: 1 # x", "a: 1", []],
  ["nothing of a text that can't be read", "a: [", "a: 1", []],
  ["nothing of what is no text", { a: 1 }, "a: 1", []],
])("%s", (_, before, after, changes) => {
  expect(userYamlChanges(before, after)).toEqual(changes);
});
