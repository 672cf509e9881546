/**
 * Like Promise.all, but a failure waits for all others: nothing goes on behind an error's back.
 *
 * @throws the first failure in the order of `promises`
 */
export async function allOf<T extends readonly unknown[] | []>(
  promises: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
