import querystring from "node:querystring";

/** User and password for a host. */
export interface Login {
  user: string;
  /** Empty if `user` is a token. */
  password: string;
}

/** Splits a URL into its login and the rest, which can be printed and has no trailing slash. */
export function withoutLogin(text: string): { base: string; login: Login | undefined } {
  const url = new URL(text);
  const user = querystring.unescape(url.username);
  const password = querystring.unescape(url.password);
  url.username = "";
  url.password = "";
  return {
    base: url.href.replace(/\/+$/, ""),
    login: user === "" && password === "" ? undefined : { user, password },
  };
}
