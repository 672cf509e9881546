import type { OwnError } from "./own-error.ts";

/** Who the job is at Google. */
export const IDENTITY_ERRORS: readonly OwnError[] = [
  {
    id: "no-credentials",
    title: "There are no Google Cloud credentials",
    pattern: /There are no Google Cloud credentials/,
    cause: "no input gives any, and no auth step ran before",
    remedy: "add google-github-actions/auth, or `workload_identity_provider`",
  },
  {
    id: "no-identity-token",
    title: "This job can't get an identity token from GitHub",
    pattern: /identity token/,
    cause: "the job lacks a permission; pull requests from forks never have it",
    remedy: "`permissions: id-token: write`",
  },
  {
    id: "credential-file",
    title: "The credential file ... can't be read",
    pattern: /The credential file .* can't be read/,
    cause: "actions/checkout ran after google-github-actions/auth and removed its file",
    remedy: "put checkout first",
  },
  {
    id: "credential-configuration",
    title: "... is not a credential configuration",
    pattern:
      /is not JSON\.|is not a credential configuration|(external account|impersonated service account) in .* is incomplete|Credentials of the type|credentials in .* have no /,
    cause: "the file or the secret isn't what Google or google-github-actions/auth wrote",
    remedy: "give the whole key or configuration, as JSON or in base64",
  },
  {
    id: "gcloud-login",
    title: "gcloud is not on PATH",
    pattern: /^gcloud (is not on PATH|printed no)/,
    cause: "the job's identity is that of gcloud, which is missing or has nobody logged in",
    remedy: "`gcloud auth login` on that runner, or google-github-actions/auth",
  },
  {
    id: "token-service",
    title: "No token could be fetched, even after retries",
    pattern: /No token could be fetched|token services gave no answer|^Google refused (?!to )/,
    cause: "Google's token services can't be reached, or refuse for a reason that the error quotes",
    remedy: "mend what it quotes; a runner behind a proxy needs HTTPS_PROXY",
  },
  {
    id: "google-api",
    title: "The credentials may not ..., Google refused to ...",
    pattern:
      /^The \S+( \S+){0,2} API (is not enabled|doesn't accept)|^Could not |^The credentials may not (?!read|use)|^Google refused to/,
    cause: "a right, an API or a quota of the project that an input needs",
    remedy: "what the error says; the roles are in [addresses-and-dns.md](addresses-and-dns.md#roles)",
  },
];
