import * as v from "valibot";
import { parse } from "yaml";

const Inputs = v.record(
  v.string(),
  v.looseObject({
    description: v.string(),
    default: v.optional(v.string(), ""),
    deprecationMessage: v.optional(v.string()),
  }),
);

/** An input of action.yml. */
export interface ActionInput {
  name: string;
  description: string;
  /** Empty without one. */
  fallback: string;
  isDeprecated: boolean;
}

/** A group of inputs of action.yml: the comment before it is its title. */
export interface InputGroup {
  title: string;
  inputs: ActionInput[];
}

/** What the action's defaults are by hand: no later step of a job needs gcloud. */
const BY_HAND: Record<string, string> = { gcloud_version: "none" };

/**
 * Returns the inputs that an action.yml declares, in their groups.
 *
 * @throws ValiError if it isn't this action's
 */
export function inputGroups(metadata: string): InputGroup[] {
  const [, inputs = ""] = metadata.split(/^(?:inputs|outputs):$/m);
  const [, ...groups] = inputs.split(/^ {2}# /m);
  return groups.map((group) => {
    const [title = "", ...lines] = group.split("\n");
    const declared = v.parse(Inputs, parse(lines.join("\n")));
    return {
      title,
      inputs: Object.entries(declared).map(([name, input]) => ({
        name,
        description: input.description,
        // An expression is the runner's.
        fallback: BY_HAND[name] ?? (input.default.startsWith("${{") ? "" : input.default),
        isDeprecated: input.deprecationMessage !== undefined,
      })),
    };
  });
}
