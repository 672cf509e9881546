/** The values of one or more measurements. */
export interface Figure {
  name: string;
  unit: "s" | "ms" | "x" | "MB" | "%";
  values: number[];
  /** The maximum acceptable median. */
  target?: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return (low + high) / 2;
}

/** Formats a table row: name, median, range, number of runs, target. */
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
