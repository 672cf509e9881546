import type { OwnError } from "./own-error.ts";

/** Mistakes that such an error lists. */
export const MISTAKES: readonly OwnError[] = [
  {
    id: "file-unreadable",
    title: "... can't be read: it is a named pipe, not a file",
    pattern: /can't be read: it (is|has) /,
    cause:
      "a path in `values_files`, `manifests` or `kubeconfig` is a device, a folder, a socket, or has too many MiB",
    remedy: "give the path of a text file of at most 16 MiB",
  },
  {
    id: "glob",
    title: "... looks through more than 50000 files and folders",
    pattern: /looks through more than/,
    cause: "a glob in `manifests` that begins too high, such as `/**/*.yaml`",
    remedy: "name the folder: `k8s/**/*.yaml`",
  },
];

/** Inputs, files, programs of the runner, the pull request. */
export const RUNNER_ERRORS: readonly OwnError[] = [
  {
    id: "inputs",
    title: "... inputs are not usable",
    pattern: /not usable; nothing was changed/,
    cause: "inputs contradict each other, or have values that aren't allowed: all are listed",
    remedy: "correct them; [inputs.md](inputs.md) has what is allowed",
  },
  {
    id: "yaml",
    title: "... is not valid YAML",
    pattern:
      /is not valid YAML|must be one YAML document|must be a YAML map|holds more than a million values|is not YAML\./,
    cause: "the line that the error names",
    remedy: "correct it; a file in the pull request is marked at that line",
  },
  {
    id: "manifests",
    title: "The manifests are not usable",
    pattern: /manifests are not usable|does not know the kind|does not serve CustomResourceDefinition/,
    cause: "a file of `manifests`: file and line are named",
    remedy: "correct it; install the definition that is missing",
  },
  {
    id: "disk-full",
    title: "The runner's disk is full",
    pattern: /disk is full/,
    cause: "no room under `RUNNER_TEMP` or `RUNNER_TOOL_CACHE`",
    remedy: "free room there, or give the runner a larger disk",
  },
  {
    id: "state",
    title: "The runner's file for state can't be written",
    pattern: /file for state can't be written/,
    cause: "the runner's disk is full, or a step has changed `GITHUB_STATE`",
    remedy: "free room on the runner's disk",
  },
  {
    id: "outputs",
    title: "The outputs can't be set",
    pattern: /outputs can't be set/,
    cause: "the runner's disk is full, or a step has changed `GITHUB_OUTPUT`",
    remedy: "free room on the runner's disk",
  },
  {
    id: "program-start",
    title: "... could not be started",
    pattern: /could not be started/,
    cause: "the program isn't executable on this runner",
    remedy: "let the action download it: take it off PATH, or set `kubectl_version`, `helm_version`",
  },
  {
    id: "download",
    title: "kubectl could not be downloaded, helm could not be downloaded",
    pattern: /could not be downloaded; nothing was unpacked|newest release in .* can't be found out/,
    cause: "no way to the host, or a wrong checksum",
    remedy: "`kubectl_mirror`, `helm_mirror`, or install it on the runner",
  },
  {
    id: "tool-version",
    title: "helm_version: ... is not a version",
    pattern:
      /is not a version|is not published for|no tools for this runner's platform|^[^\n]* can't be used\.$/,
    cause: "a version that the action doesn't support, or that isn't published for this runner",
    remedy: "`auto`, or a version in the range that the error names",
  },
  {
    id: "gcloud",
    title: "gcloud could not be set up",
    pattern: /gcloud could not be set up/,
    cause: "no way to Google's downloads, or a version that isn't there",
    remedy: "`gcloud_mirror`, another `gcloud_version`, or `none` if no later step uses gcloud",
  },
  {
    id: "proxy-variable",
    title: "HTTPS_PROXY is not the URL of a proxy",
    pattern: /is not the URL of a proxy/,
    cause: "the variable's value",
    remedy: "`http://user:password@host:port`",
  },
  {
    id: "runner-proxy",
    title: "This runner's proxy doesn't let the check through",
    pattern: /proxy doesn't let the check through/,
    cause: "the proxy in HTTPS_PROXY refuses CONNECT to the load balancer",
    remedy: "admit it in the proxy, or list the address in NO_PROXY, or `verify: false`",
  },
  {
    id: "socket-path",
    title: "The path of the folder ... is too long for a socket",
    pattern: /too long for a socket/,
    cause: "RUNNER_TEMP is a very long path",
    remedy: "a shorter work folder of the runner",
  },
  {
    id: "comment",
    title: "The comment on pull request ... can't be written",
    pattern: /The comment on pull request/,
    cause: "the job's token may not write comments",
    remedy: "`permissions: pull-requests: write`",
  },
  {
    id: "drift",
    title: "A deployment would change something",
    pattern: /A deployment would change something/,
    cause: "`fail_on_changes` and a plan with changes",
    remedy: "read the plan above it, and deploy",
  },
];
