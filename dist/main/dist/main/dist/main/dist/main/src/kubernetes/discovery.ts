import * as v from "valibot";
import { ActionError } from "../base/errors.ts";
import { apiPath, ownResource, type Resource } from "./resources.ts";
import { type ApiResponse, apiError } from "./responses.ts";

const ApiResourceList = v.looseObject({
  resources: v.array(v.looseObject({ name: v.string(), kind: v.string(), namespaced: v.boolean() })),
});

const ApiGroup = v.looseObject({ versions: v.array(v.looseObject({ groupVersion: v.string() })) });

/** Finds the API paths of any kind of object and remembers them. */
export class Discovery {
  readonly #get: (path: string) => Promise<ApiResponse>;
  readonly #apis = new Map<string, Promise<Resource[]>>();

  constructor(get: (path: string) => Promise<ApiResponse>) {
    this.#get = get;
  }

  /**
   * Returns the resource of a kind, undefined if the cluster doesn't know the kind (yet).
   *
   * @throws ActionError when the API server doesn't say
   */
  async find(apiVersion: string, kind: string): Promise<Resource | undefined> {
    const own = ownResource(apiVersion, kind);
    if (own) return own;
    const remembered = this.#apis.get(apiVersion);
    const known = remembered && (await remembered).find((resource) => resource.kind === kind);
    if (known) return known;
    // A kind that is missing now may be defined later, so only known kinds are remembered.
    const listing = this.#list(apiVersion);
    this.#apis.set(apiVersion, listing);
    return (await listing).find((resource) => resource.kind === kind);
  }

  /**
   * The error for a kind that the cluster doesn't know.
   *
   * @param object the object of that kind, and the origin of its manifest
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
      // Groups without a dot are built in. All others may come with CustomResourceDefinitions, even those of
      // k8s.io.
      fix: group?.includes(".") && !elsewhere ? `${install}, or ${correct}.` : `${correct}.`,
    });
  }

  async #list(apiVersion: string): Promise<Resource[]> {
    const response = await this.#get(apiPath(apiVersion));
    if (response.code === 404) return [];
    if (response.code !== 200)
      throw apiError(`The API server does not list the kinds of ${apiVersion}.`, response);
    const { resources } = v.parse(ApiResourceList, JSON.parse(response.body));
    // Subresources such as pods/log carry a kind too.
    return resources
      .filter(({ name }) => !name.includes("/"))
      .map(({ name, kind, namespaced }) => ({ apiVersion, kind, plural: name, namespaced }));
  }

  async #versionsOf(group: string): Promise<string[]> {
    const response = await this.#get(`/apis/${encodeURIComponent(group)}`);
    if (response.code === 404) return [];
    if (response.code !== 200)
      throw apiError(`The API server does not list the versions of ${group}.`, response);
    return v.parse(ApiGroup, JSON.parse(response.body)).versions.map(({ groupVersion }) => groupVersion);
  }
}
