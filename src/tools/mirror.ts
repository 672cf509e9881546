import * as core from "@actions/core";
import { withoutLogin } from "../base/url.ts";

/** A host that has what a publisher has. */
export interface Mirror {
  /** Its URL without user and password, so that it can be printed, and without a slash at the end. */
  base: string;
  /** The header that its user and password come to, if it has any. */
  authorization: string | undefined;
}

/** Returns what a mirror input says. The password, or a token in place of the user, is masked in the log. */
export function parseMirror(input: string): Mirror {
  const { base, login } = withoutLogin(input);
  if (!login) return { base, authorization: undefined };
  const { user, password } = login;
  const encoded = Buffer.from(`${user}:${password}`).toString("base64");
  for (const secret of [password || user, encoded]) core.setSecret(secret);
  return { base, authorization: `Basic ${encoded}` };
}
