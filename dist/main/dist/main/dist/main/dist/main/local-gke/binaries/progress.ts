/** How far a build is. */
export interface BuildState {
  /** Packages that the compiler has begun. */
  begun: number;
  /** Packages to compile. */
  total: number;
  elapsedMs: number;
}

/** Before that an estimate is only a guess. */
const ENOUGH_MS = 20_000;
/** Large packages come late: this is how the share of time was seen to follow from the share of packages. */
const EXPONENT = 1.5;
const BAR_WIDTH = 20;

/** Says how far a build is, e.g. `412 of 1,930 packages, about 6 min left`. */
export function progressText({ begun, total, elapsedMs }: BuildState): string {
  const count = `${thousands(begun)} of ${thousands(total)} packages`;
  if (begun >= total) return `${count}, linking`;
  if (elapsedMs < ENOUGH_MS || begun === 0) return count;
  const share = (begun / total) ** EXPONENT;
  return `${count}, about ${durationText((elapsedMs * (1 - share)) / share)} left`;
}

/** Draws how far a build is, e.g. `[####----------------]`. */
export function bar({ begun, total }: BuildState): string {
  const done = total === 0 ? BAR_WIDTH : Math.floor((BAR_WIDTH * begun) / total);
  return `[${"#".repeat(done)}${"-".repeat(BAR_WIDTH - done)}]`;
}

function thousands(count: number): string {
  return count.toLocaleString("en-US");
}

function durationText(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
