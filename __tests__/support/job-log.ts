import { beforeEach, vi } from "vitest";

/** What a test has written to the job's log so far. */
export interface JobLog {
  text: string;
}

/** Keeps the job's log of a file's tests out of their own output, and returns it; each test has a new one. */
export function captureLog(): JobLog {
  const log = { text: "" };
  beforeEach(() => {
    log.text = "";
    const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      log.text += String(text);
      return true;
    });
    return () => write.mockRestore();
  });
  return log;
}
