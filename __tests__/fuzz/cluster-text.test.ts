import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test, vi } from "vitest";
import { ActionError } from "../../src/base/errors.ts";
import { info, warning } from "../../src/base/log.ts";
import { helmError } from "../../src/helm/error.ts";
import { manifestDifferences } from "../../src/helm/manifest.ts";
import { describePods } from "../../src/helm/pod-problem.ts";
import { decodeRelease } from "../../src/helm/stored-release.ts";
import { Pod } from "../../src/kubernetes/objects.ts";
import { remedyOf } from "../../src/kubernetes/remedies.ts";
import { apiError, conflictError, conflictsIn } from "../../src/kubernetes/responses.ts";
import { diagnose, isTelling } from "../../src/loadbalancer/diagnosis/diagnosis.ts";
import { withoutTls, withTls } from "../../src/milvus/user-yaml.ts";
import { userYamlChanges } from "../../src/milvus/user-yaml-changes.ts";
import { shownField } from "../../src/plan/shown-fields.ts";
import { annotate } from "../../src/report/annotations.ts";
import { summaryOf } from "../../src/report/summary.ts";
import { LIMIT_MS, RUNS, refusalOf, shortHostileText, tryEach } from "../support/hostile.ts";
import { captureLog } from "../support/job-log.ts";

vi.setConfig({ testTimeout: LIMIT_MS });

const log = captureLog();

/** Returns what work writes to the job's log. */
function logOf(work: () => void): string {
  log.text = "";
  work();
  return log.text;
}

/** Returns the lines that the runner obeys (actions/runner, ActionCommand.TryParseV2 and TryParse). */
function commandsIn(log: string): string[] {
  return log.split(/\r\n|\r|\n/).filter((line) => line.trimStart().startsWith("::") || line.includes("##["));
}

/** Tells whether a terminal would obey anything in a text. */
function movesTerminal(text: string): boolean {
  return /[^\P{Cc}\t\n\r\u0085]/u.test(text);
}

describe("whatever a text from the cluster is", () => {
  test("the log has no workflow command, no escape sequence and no end of it", () => {
    const check = (text: string) => {
      const written = logOf(() => info(text));
      expect(commandsIn(written)).toEqual([]);
      expect(movesTerminal(written)).toBe(false);
      expect(written.length).toBeLessThan(100_000);
    };
    tryEach(check);
    fc.assert(fc.property(shortHostileText, check), { numRuns: RUNS });
  });

  test("a warning is one command, and so is an annotation", () => {
    const check = (text: string) => {
      for (const work of [
        () => warning(text),
        () => annotate([{ file: text.slice(0, 500), line: 1, message: text.slice(0, 500) }]),
      ]) {
        const written = logOf(work);
        expect(written.match(/\n/g)).toHaveLength(1);
        expect(written).toMatch(/^::(warning|error)[ :]/);
        expect(written.length).toBeLessThan(300_000);
      }
    };
    tryEach(check);
    fc.assert(fc.property(shortHostileText, check), { numRuns: RUNS / 2 });
  });

  test("an error with it is short and plain", () => {
    const check = (text: string) => {
      const status = JSON.stringify({ kind: "Status", reason: "Forbidden", message: text });
      const errors = [
        new ActionError(text, { why: text, fix: text }),
        helmError("It failed.", { exitCode: 1, stdout: text, stderr: text }),
        apiError("It failed.", { code: 500, body: text }),
        apiError("It failed.", { code: 403, body: status }),
      ];
      for (const { message } of errors) {
        expect(message.length).toBeLessThan(30_000);
        expect(movesTerminal(message)).toBe(false);
      }
    };
    tryEach(check);
    fc.assert(fc.property(shortHostileText, check), { numRuns: RUNS / 2 });
  });

  test("its remedy and its diagnosis are found without delay", () => {
    tryEach((text) => {
      const causes = [{ reason: "FieldManagerConflict", message: `conflict with "${text}`, field: text }];
      const body = JSON.stringify({ kind: "Status", details: { causes } });
      conflictError("It", conflictsIn({ code: 409, body }), { dryRun: true, isOwn: false });
      for (const each of [text, `googleapi: Error 403: ${text}`, `error: ${text} forbidden`]) {
        remedyOf(each);
        diagnose(each);
        isTelling(each);
      }
    });
  });

  test("a pod with it is described on one line of the log", () => {
    tryEach((text) => {
      const status = {
        phase: "Pending",
        containerStatuses: [
          { name: "milvus", ready: false, state: { waiting: { reason: "ErrImagePull", message: text } } },
        ],
      };
      const pod = v.parse(Pod, { metadata: { name: "a" }, status });
      expect(commandsIn(logOf(() => info(describePods([pod]))))).toEqual([]);
    });
  });

  test("a user.yaml is taken, changed or refused", () => {
    tryEach((text) =>
      refusalOf(() => {
        userYamlChanges(text, withTls(text));
        withoutTls(text, text);
      }),
    );
    fc.assert(
      fc.property(shortHostileText, (text) => {
        refusalOf(() => withTls(text));
      }),
      { numRuns: RUNS / 2 },
    );
  });

  test("a field of a manifest is compared and shown", () => {
    const configMap = (text: string) =>
      JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: { a: text } });
    tryEach((text) => {
      for (const field of manifestDifferences(configMap("before"), configMap(text))) {
        const { before = "", after = "" } = shownField(field, []);
        expect(before.length + after.length).toBeLessThan(2000);
      }
    });
  });

  test("a release's Secret is read or refused", () => {
    tryEach((text) => {
      const secret = { metadata: { name: "sh.helm.release.v1.it.v1" }, data: { release: text } };
      expect(refusalOf(() => decodeRelease(secret))).not.toBe("");
    });
  });

  test("the summary is Markdown of at most a mebibyte in which it is no markup", () => {
    tryEach((text) => {
      const report = { host: text, ingress: text, address: text, milvusVersion: text, changes: 1, steps: [] };
      const summary = summaryOf({ ...report, backends: { [text]: text } }, "deploy", text);
      expect(Buffer.byteLength(summary)).toBeLessThanOrEqual(1024 * 1024);
    });
  });
});
