import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { type Answer, refusal } from "./answers.ts";
import { apiPath, ownResource, type Resource } from "./resources.ts";

const ApiResourceList = v.looseObject({
  resources: v.array(v.looseObject({ name: v.string(), kind: v.string(), namespaced: v.boolean() })),
});

const ApiGroup = v.looseObject({ versions: v.array(v.looseObject({ groupVersion: v.string() })) });

/** Finds out where the API server has the objects of any kind, and remembers what it has found. */
export class Discovery {
  readonly #get: (path: string) => Promise<Answer>;
  readonly #apis = new Map<string, Promise<Resource[]>>();

  constructor(get: (path: string) => Promise<Answer>) {
    this.#get = get;
  }

  /**
   * Returns where the objects of a kind are, undefined when the cluster doesn't know it (yet).
   *
   * @throws ActionError when the API server doesn't tell
   */
  async find(apiVersion: string, kind: string): Promise<Resource | undefined> {
    const own = ownResource(apiVersion, kind);
    if (own) return own;
    const remembered = this.#apis.get(apiVersion);
    const known = remembered && (await remembered).find((resource) => resource.kind === kind);
    if (known) return known;
    // What isn't there may come: only what is there is remembered.
    const listing = this.#list(apiVersion);
    this.#apis.set(apiVersion, listing);
    return (await listing).find((resource) => resource.kind === kind);
  }

  /**
   * The error for a kind that the cluster doesn't know.
   *
   * @param object whose kind it is, and where it comes from
   */
  async unknown(object: string, apiVersion: string, kind: string): Promise<ActionError> {
    const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
    const served = group ? await this.#versionsOf(group) : ["v1"];
    const elsewhere = served.length > 0 && !served.includes(apiVersion);
    const correct = "correct its apiVersion and kind";
    const install = `install the CustomResourceDefinition of kind ${kind} in group ${group}, version ${version}, before this step or with manifests`;
    return new ActionError(`The cluster does not know the kind of ${object}; nothing was changed.`, {
      why: elsewhere
        ? `the API server has no ${apiVersion}, only ${served.join(", ")}.`
        : `the API server has no ${kind} in ${apiVersion}.`,
      // Groups without a dot are built in; all others may come with CustomResourceDefinitions, also those of k8s.io.
      fix: group?.includes(".") && !elsewhere ? `${install}, or ${correct}.` : `${correct}.`,
    });
  }

  async #list(apiVersion: string): Promise<Resource[]> {
    const answer = await this.#get(apiPath(apiVersion));
    if (answer.code === 404) return [];
    if (answer.code !== 200) throw refusal(`The API server does not tell what ${apiVersion} has.`, answer);
    const { resources } = v.parse(ApiResourceList, JSON.parse(answer.body));
    // Subresources such as pods/log carry a kind too.
    return resources
      .filter(({ name }) => !name.includes("/"))
      .map(({ name, kind, namespaced }) => ({ apiVersion, kind, plural: name, namespaced }));
  }

  async #versionsOf(group: string): Promise<string[]> {
    const answer = await this.#get(`/apis/${encodeURIComponent(group)}`);
    if (answer.code === 404) return [];
    if (answer.code !== 200) throw refusal(`The API server does not tell what ${group} has.`, answer);
    return v.parse(ApiGroup, JSON.parse(answer.body)).versions.map(({ groupVersion }) => groupVersion);
  }
}
