import type { Symptom } from "../src/base/symptom.ts";
import { TOKEN_ERRORS } from "../src/gke/token-errors.ts";
import { POD_SYMPTOMS } from "../src/helm/pod-symptoms.ts";
import { REFUSALS } from "../src/kubernetes/remedies.ts";
import { BACKEND_SYMPTOMS } from "../src/loadbalancer/backend-symptoms.ts";
import { KNOWN_TEXTS } from "../src/loadbalancer/diagnosis/diagnosis.ts";
import { ADDRESS_SILENCE } from "../src/loadbalancer/silence.ts";
import { ANSWERS } from "../src/milvus/answers.ts";
import { CLUSTER_ERRORS } from "../src/report/symptoms/cluster-errors.ts";
import { IDENTITY_ERRORS } from "../src/report/symptoms/identity-errors.ts";
import { LOAD_BALANCER_ERRORS } from "../src/report/symptoms/load-balancer-errors.ts";
import { RELEASE_ERRORS } from "../src/report/symptoms/release-errors.ts";
import { MISTAKES, RUNNER_ERRORS } from "../src/report/symptoms/runner-errors.ts";

type Row = Pick<Symptom, "id" | "title" | "cause" | "remedy">;

interface Section {
  heading: string;
  intro: string;
  /** Heading of the first column. */
  shows: string;
  rows: readonly Row[];
}

const TOKEN_ROWS: readonly Row[] = TOKEN_ERRORS.map(({ id, says, what, fix }) => ({
  id,
  title: says,
  cause: what.replace("{account}", "service account ..."),
  remedy: fix,
}));

const lasting = KNOWN_TEXTS.filter(({ verdict }) => verdict === "lasting");
const others = KNOWN_TEXTS.filter(({ verdict }) => verdict !== "lasting");

/** All that the page explains, in its order. */
export const SECTIONS: readonly Section[] = [
  {
    heading: "Inputs, files, the runner",
    intro: "Nothing has been changed when one of these ends a run.",
    shows: "error",
    rows: [...RUNNER_ERRORS, ...MISTAKES],
  },
  {
    heading: "Credentials",
    intro: "How to set them up: [authentication.md](authentication.md).",
    shows: "error",
    rows: IDENTITY_ERRORS,
  },
  {
    heading: "What Google's token services answer",
    intro: "The error quotes these words after `Why:`.",
    shows: "answer",
    rows: TOKEN_ROWS,
  },
  {
    heading: "The cluster and its API server",
    intro: "Rights in full: [permissions.md](permissions.md).",
    shows: "error",
    rows: CLUSTER_ERRORS,
  },
  {
    heading: "What the API server, kubectl and Helm answer",
    intro: "The error quotes these words after `Why:`. The first row that fits counts.",
    shows: "answer",
    rows: REFUSALS,
  },
  {
    heading: "The release and its chart",
    intro: "What an upgrade keeps, lists and refuses: [upgrades.md](upgrades.md).",
    shows: "error",
    rows: RELEASE_ERRORS,
  },
  {
    heading: "Pods that don't get ready",
    intro: "How long a pod may be so before the run ends grows with `helm_timeout`.",
    shows: "reason",
    rows: POD_SYMPTOMS,
  },
  {
    heading: "The load balancer, its address and its certificate",
    intro: "A limit that ends is no loss: the next run goes on.",
    shows: "error",
    rows: LOAD_BALANCER_ERRORS,
  },
  {
    heading: "No address and no event",
    intro: "What progress lines and the error say while nothing happens.",
    shows: "log",
    rows: ADDRESS_SILENCE,
  },
  {
    heading: "Unhealthy backends",
    intro:
      "The run looks for these when backends stay unhealthy for two minutes. The pods that Google's health check fails on are named if the job [may ask for them](permissions.md#a-custom-role-of-iam).",
    shows: "log",
    rows: Object.values(BACKEND_SYMPTOMS),
  },
  {
    heading: "Warnings that end the wait",
    intro:
      "What Google's controllers write into events of the Ingress and its Service. One that is repeated after five seconds ends the run.",
    shows: "Warning",
    rows: lasting,
  },
  {
    heading: "Warnings that don't",
    intro:
      "The controller goes on by itself, and the run waits. So it does after a Warning that nothing here explains.",
    shows: "Warning",
    rows: others,
  },
  {
    heading: "What answers instead of Milvus",
    intro: "The last answer of the check through the load balancer, after `Why:`.",
    shows: "answer",
    rows: ANSWERS,
  },
];

/** Returns a row of a table as Markdown. A link to its anchor leads to it. */
function row({ id, title, cause, remedy }: Row): string {
  const cells = [`<a id="${id}"></a>\`${title}\``, cause, remedy].map((cell) =>
    cell
      .replace(/\.$/, "")
      .replaceAll("|", "\\|")
      .replace(/<(?!\/?a\b)/g, "&lt;"),
  );
  return `| ${cells.join(" | ")} |`;
}

/** Returns the anchor of a heading, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w -]/g, "")
    .replaceAll(" ", "-");
}

function section({ heading, intro, shows, rows }: Section): string {
  return `## ${heading}

${intro}

| ${shows} | cause | what to do |
| --- | --- | --- |
${rows.map(row).join("\n")}
`;
}

/** Returns docs/troubleshooting.md, made from the tables that errors are looked up in. */
export function troubleshootingPage(): string {
  return `<!-- Made by \`npm run docs\` from the tables in src/ that errors are looked up in: change it there. -->
# Troubleshooting

An error says what happened, to which object, why (in the words of Google, Helm or Kubernetes) and what to change. Its last line
leads to its row here. A run that ends early loses nothing: the next one goes on from there.

${SECTIONS.map(({ heading }) => `- [${heading}](#${anchorOf(heading)})`).join("\n")}

${SECTIONS.map(section).join("\n")}`;
}
