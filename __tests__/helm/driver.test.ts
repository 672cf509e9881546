import { expect, test } from "vitest";
import { refuseOtherDriver } from "../../src/helm/driver.ts";

test.each([undefined, "", "secret", "secrets"])(
  "Helm keeps releases in Secrets: HELM_DRIVER=%s",
  (driver) => {
    expect(() => refuseOtherDriver({ HELM_DRIVER: driver })).not.toThrow();
  },
);

test.each(["configmap", "configmaps", "memory", "sql"])(
  "Helm keeps releases elsewhere: HELM_DRIVER=%s",
  (driver) => {
    expect(() => refuseOtherDriver({ HELM_DRIVER: driver })).toThrow(
      `HELM_DRIVER is ${driver}; nothing was changed.`,
    );
  },
);
