import { defineConfig } from "vitest/config";
import { BaseSequencer, type Reporter, type TestModule, type TestSpecification } from "vitest/node";

/** How many of the slowest files the output names. */
const SLOWEST = 15;

/**
 * Closes the output with the slowest files and one plain line, which tools that don't know Vitest can read.
 */
const closing: Reporter = {
  onTestRunEnd(modules) {
    const slowest = modules.toSorted((a, b) => secondsOf(b) - secondsOf(a)).slice(0, SLOWEST);
    console.log("Slowest files, with the time that their hooks take:");
    for (const module of slowest) {
      console.log(`${secondsOf(module).toFixed(1).padStart(7)} s  ${module.relativeModuleId}`);
    }
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const count = (state: string) => states.filter((candidate) => candidate === state).length;
    console.log(`${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
  },
};

function secondsOf(module: TestModule): number {
  return module.diagnostic().duration / 1000;
}

/** Short files that take long. */
const LONG = /\/__tests__\/(e2e|fuzz)\//;

/**
 * Begins each project with the files that take long. Without times of a former run, Vitest goes by the length
 * of a file, and would have one of them run on alone at the end.
 */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const byProject = Map.groupBy(await super.sort(files), ({ project }) => project);
    const isLong = ({ moduleId }: TestSpecification) => Number(LONG.test(moduleId));
    return [...byProject.values()].flatMap((own) => own.toSorted((a, b) => isLong(b) - isLong(a)));
  }
}

/** Vitest's own limit is a second, which on a busy machine is soon over. */
const POLL = { poll: { timeout: 100_000 } };

/** For tests that start real programs. */
const WITH_PROGRAMS = {
  globalSetup: "__tests__/integration/support/prepare.ts",
  // Limits for what hangs: on two cores with everything else at work a test may take minutes.
  testTimeout: 600_000,
  hookTimeout: 600_000,
  expect: POLL,
  isolate: false,
  // Tests also wait for their programs. A fourth file at a time makes two processors no faster.
  maxWorkers: 3,
  maxConcurrency: 3,
  // After the unit tests, which end sooner when nothing runs beside them.
  sequence: { groupOrder: 1 },
};

export default defineConfig({
  test: {
    reporters: ["default", closing],
    sequence: { sequencer: LongFirst },
    globalSetup: "__tests__/integration/support/lender.ts",
    projects: [
      {
        test: {
          name: "unit",
          include: ["__tests__/**/*.test.ts"],
          exclude: ["__tests__/{integration,fidelity,e2e}/**"],
          // To load every module again for each file takes as long as the tests themselves.
          isolate: false,
          // A limit for what hangs; property tests take seconds on a busy machine.
          testTimeout: 60_000,
          expect: POLL,
          // Some of the files wait more than they work.
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: "integration",
          include: ["__tests__/{integration,e2e}/**/*.test.ts"],
          ...WITH_PROGRAMS,
        },
      },
      // A file runs with one Helm: with Helm 4, and once more with Helm 3 if it is about what Helm does.
      {
        test: {
          name: "helm3",
          include: [
            "__tests__/integration/action.test.ts",
            "__tests__/integration/action-{chart,install,interrupted,layer4,live,milvus-page,plan}.test.ts",
            "__tests__/integration/action-{recovery,rendered,teardown,together,upgrade}.test.ts",
          ],
          env: { TEST_HELM: "helm3" },
          ...WITH_PROGRAMS,
        },
      },
      { test: { name: "fidelity", include: ["__tests__/fidelity/**/*.test.ts"], ...WITH_PROGRAMS } },
    ],
  },
});
