import { ActionError } from "../base/errors.ts";
import { BAD_GATEWAY } from "../milvus/answers.ts";
import { BACKEND_SYMPTOMS } from "./backend-symptoms.ts";
import { wrongProtocols } from "./traffic-obstacles.ts";
import type { LoadBalancerState } from "./watch.ts";

/**
 * Runs work that calls Milvus through the load balancer. If the load balancer can't talk to Milvus because
 * something has changed the Service since, the error says so.
 */
export async function explainingBadGateway<T>(
  state: Pick<LoadBalancerState, "service">,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { service } = state;
    const isBadGateway = error instanceof ActionError && error.symptom === BAD_GATEWAY.id;
    const cause = isBadGateway && service.state === "present" ? wrongProtocols(service.object) : undefined;
    if (!isBadGateway || cause === undefined) throw error;
    const [what = ""] = error.message.split("\n");
    const { id, remedy } = BACKEND_SYMPTOMS.portName;
    throw new ActionError(what, { why: `${error.why}; ${cause}`, fix: remedy, symptom: id, cause: error });
  }
}
