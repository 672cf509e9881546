import { isAbsolute, relative, resolve } from "node:path";
import { ActionError, type Annotation } from "./errors.ts";
import { printable, withoutMiddle } from "./text.ts";

/**
 * How many mistakes an error lists, and how long each may be. The runner cuts an
 * annotation to 4096 characters.
 */
const MOST = 20;
const LONGEST = 500;

/** A mistake in a file that the user has written. */
export interface FileMistake {
  message: string;
  path: string;
  line: number;
}

/** A mistake in what the user has written. */
export type Mistake = string | FileMistake;

/**
 * Returns one error for all mistakes, with annotations for those that are in files of the workspace.
 *
 * @param what what isn't usable, as a sentence
 * @param mistakes at least one
 * @param details `workspace`: the folder that paths start from; without it there are no annotations
 */
export function mistakesError(
  what: string,
  mistakes: readonly Mistake[],
  { workspace, fix }: { workspace?: string; fix?: string },
): ActionError {
  const shown = mistakes.slice(0, MOST).map((mistake) => withoutMiddle(messageIn(mistake), LONGEST));
  const left = mistakes.length - shown.length;
  const list = [...shown, ...(left > 0 ? [`${left} more`] : [])].join("\n- ");
  return new ActionError(`${what}\n- ${list}`, {
    ...(fix !== undefined && { fix }),
    annotations: workspace === undefined ? [] : mistakes.flatMap((each) => annotationFor(each, workspace)),
  });
}

function messageIn(mistake: Mistake): string {
  return typeof mistake === "string" ? mistake : mistake.message;
}

function annotationFor(mistake: Mistake, workspace: string): Annotation[] {
  if (typeof mistake === "string") return [];
  const file = relative(workspace, resolve(workspace, mistake.path));
  // A pull request shows only files of the repository.
  if (file.startsWith("..") || isAbsolute(file)) return [];
  return [{ file, line: mistake.line, message: printable(withoutMiddle(mistake.message, LONGEST)) }];
}
