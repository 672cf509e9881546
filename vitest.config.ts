import { defineConfig } from "vitest/config";
import type { Reporter } from "vitest/node";

/** Closes the output with one plain line, which tools that don't know Vitest can read. */
const plainCount: Reporter = {
  onTestRunEnd(modules) {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const count = (state: string) => states.filter((candidate) => candidate === state).length;
    console.log(`${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
  },
};

/** Vitest's own limit is a second, which on a busy machine is soon over. */
const POLL = { poll: { timeout: 100_000 } };

export default defineConfig({
  test: {
    reporters: ["default", plainCount],
    projects: [
      {
        test: {
          name: "unit",
          include: ["__tests__/**/*.test.ts"],
          exclude: ["__tests__/{integration,fidelity,e2e}/**"],
          // A limit for what hangs; property tests take seconds on a busy machine.
          testTimeout: 60_000,
          expect: POLL,
        },
      },
      {
        test: {
          name: "integration",
          include: ["__tests__/{integration,fidelity,e2e}/**/*.test.ts"],
          globalSetup: "__tests__/integration/support/prepare.ts",
          // Limits for what hangs: on two cores with everything else at work a test may take minutes.
          testTimeout: 600_000,
          hookTimeout: 600_000,
          expect: POLL,
          maxWorkers: 3,
          maxConcurrency: 3,
        },
      },
    ],
  },
});
