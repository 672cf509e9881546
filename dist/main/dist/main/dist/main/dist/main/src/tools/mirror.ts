import * as core from "@actions/core";
import { withoutLogin } from "../base/url.ts";

/** A host with the same files as the publisher's. */
export interface Mirror {
  /** Its URL without user and password, so that it can be printed, and without a trailing slash. */
  base: string;
  /** The header with its user and password, if it has any. */
  authorization: string | undefined;
}

/** Parses a mirror input. Masks the password, or a token in place of the user, in the log. */
export function parseMirror(input: string): Mirror {
  const { base, login } = withoutLogin(input);
  if (!login) return { base, authorization: undefined };
  const { user, password } = login;
  const encoded = Buffer.from(`${user}:${password}`).toString("base64");
  for (const secret of [password || user, encoded]) core.setSecret(secret);
  return { base, authorization: `Basic ${encoded}` };
}
