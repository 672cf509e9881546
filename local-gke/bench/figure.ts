/** What was measured, once or several times. */
export interface Figure {
  name: string;
  unit: "s" | "ms" | "x" | "MB";
  values: number[];
  /** What it should stay below, or at. */
  target?: number;
}

/** Returns the middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return (low + high) / 2;
}

/** Returns the row of a table for a figure: name, median, range, number of runs, target. */
export function rowOf({ name, unit, values, target }: Figure): string[] {
  const show = (value: number) => `${value.toFixed(unit === "ms" ? 0 : 2)} ${unit}`;
  const range = values.length > 1 ? `${show(Math.min(...values))} to ${show(Math.max(...values))}` : "";
  return [
    name,
    show(median(values)),
    range,
    String(values.length),
    target === undefined ? "" : `${target} ${unit}`,
  ];
}
