import querystring from "node:querystring";

/** Who asks a host, and the proof. */
export interface Login {
  user: string;
  /** Empty where a token takes the user's place. */
  password: string;
}

/** Returns a URL without user and password, so that it can be printed, and without a slash at the end; and these. */
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
