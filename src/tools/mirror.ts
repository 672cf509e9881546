import querystring from "node:querystring";
import * as core from "@actions/core";

/** A host that has what a publisher has. */
export interface Mirror {
  /** Its URL without user and password, so that it can be printed, and without a slash at the end. */
  base: string;
  /** The header that its user and password come to, if it has any. */
  authorization: string | undefined;
}

/** Returns what a mirror input says. The password, or a token in place of the user, is masked in the log. */
export function parseMirror(input: string): Mirror {
  const url = new URL(input);
  const user = querystring.unescape(url.username);
  const password = querystring.unescape(url.password);
  url.username = "";
  url.password = "";
  const base = url.href.replace(/\/+$/, "");
  if (user === "" && password === "") return { base, authorization: undefined };
  const encoded = Buffer.from(`${user}:${password}`).toString("base64");
  for (const secret of [password || user, encoded]) core.setSecret(secret);
  return { base, authorization: `Basic ${encoded}` };
}
