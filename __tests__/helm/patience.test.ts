import { describe, expect, test } from "vitest";
import { followTrouble, patienceWith, type Trouble, timeIn } from "../../src/helm/patience.ts";

const MINUTE = 60_000;
const upgrade = (minutes: number) => ({ timeout: minutes * MINUTE, isInstallation: false });
const installation = (minutes: number) => ({ timeout: minutes * MINUTE, isInstallation: true });
const problem = (reason: string, container: string | undefined = "c", restarts = 1) => ({
  reason,
  container,
  restarts,
  description: reason,
});

test.each([
  // The default, a longer and a shorter helm_timeout.
  ["CrashLoopBackOff", upgrade(15), 9],
  ["CrashLoopBackOff", upgrade(30), 18],
  ["CrashLoopBackOff", upgrade(1), 0.6],
  ["CrashLoopBackOff", installation(15), undefined],
  ["ErrImagePull", upgrade(15), 2],
  ["ImagePullBackOff", upgrade(45), 6],
  ["ImagePullBackOff", upgrade(3), 1],
  ["ImagePullBackOff", installation(15), 2],
  ["CreateContainerConfigError", upgrade(15), 1],
  ["Unschedulable", upgrade(15), 5],
  ["Unschedulable", upgrade(60), 20],
  ["AwaitsNode", upgrade(15), undefined],
  ["ContainerCreating", upgrade(15), undefined],
  ["Running", upgrade(15), undefined],
])("%s, with %o, may last %s minutes", (reason, limit, minutes) => {
  expect(patienceWith(problem(reason), limit)).toBe(minutes === undefined ? undefined : minutes * MINUTE);
});

describe("followTrouble", () => {
  type State = [minute: number, reason: string | undefined, container?: string];

  /**
   * Returns how many minutes the last state's trouble has lasted at the last
   * minute; undefined without trouble.
   */
  function lasted(states: readonly State[], limit = upgrade(15)): number | undefined {
    const [last = 0] = states.at(-1) ?? [];
    const trouble = states.reduce<Trouble | undefined>(
      (before, [minute, reason, container]) =>
        followTrouble(
          before,
          reason === undefined ? undefined : problem(reason, container),
          limit,
          minute * MINUTE,
        ),
      undefined,
    );
    return trouble && timeIn(trouble, last * MINUTE) / MINUTE;
  }

  test.each<[string, State[], number | undefined]>([
    [
      "lasts",
      [
        [0, "Unschedulable"],
        [1, "Unschedulable"],
        [4, "Unschedulable"],
      ],
      4,
    ],
    [
      "is over",
      [
        [0, "Unschedulable"],
        [1, undefined],
      ],
      undefined,
    ],
    [
      "is over and begins again",
      [
        [0, "Unschedulable"],
        [1, "ContainerCreating"],
        [2, "Unschedulable"],
      ],
      0,
    ],
    [
      "is followed by another",
      [
        [0, "Unschedulable"],
        [4, "ImagePullBackOff"],
        [5, "ImagePullBackOff"],
      ],
      1,
    ],
    [
      "alternates between two names",
      [
        [0, "ErrImagePull"],
        [1, "ImagePullBackOff"],
        [2, "ErrImagePull"],
      ],
      2,
    ],
    [
      "moves to another container",
      [
        [0, "ImagePullBackOff"],
        [1, "ImagePullBackOff", "d"],
      ],
      0,
    ],
    [
      "ends when a node is on its way",
      [
        [0, "Unschedulable"],
        [1, "AwaitsNode"],
      ],
      undefined,
    ],
    [
      "begins when no node comes after all",
      [
        [0, "AwaitsNode"],
        [7, "Unschedulable"],
      ],
      0,
    ],
    [
      "is a crash loop: the time in which the container runs doesn't count",
      [
        [0, "CrashLoopBackOff"],
        [1, "Running"],
        [5, "CrashLoopBackOff"],
        [7, "CrashLoopBackOff"],
      ],
      3,
    ],
    [
      "is a crash loop, and the container runs",
      [
        [0, "CrashLoopBackOff"],
        [1, "Running"],
        [5, "Running"],
      ],
      1,
    ],
    [
      "is a crash loop of a pod that was ready in between",
      [
        [0, "CrashLoopBackOff"],
        [1, undefined],
        [5, "CrashLoopBackOff"],
        [7, "CrashLoopBackOff"],
      ],
      2,
    ],
  ])("a trouble that %s", (_, states, minutes) => {
    expect(lasted(states)).toBe(minutes);
  });

  test("an installation has no crash loops", () => {
    expect(
      lasted(
        [
          [0, "CrashLoopBackOff"],
          [9, "CrashLoopBackOff"],
        ],
        installation(15),
      ),
    ).toBeUndefined();
  });
});
