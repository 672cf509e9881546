import { allOf } from "../base/async.ts";
import { info } from "../base/log.ts";
import { releaseAddress } from "../gke/compute.ts";
import type { Settings } from "../inputs/settings.ts";
import type { ApiServer } from "../kubernetes/api.ts";
import { deleteAndAwait, type ObjectReference } from "../kubernetes/deletion.ts";
import type { UnwantedAddress } from "../observe/address.ts";
import type { TeardownPlan } from "../plan/teardown.ts";
import { changing, changingAtomically, objectChangeKey, recording } from "../report/run-report.ts";
import type { Session } from "../report/session.ts";

/** How long an object without finalizers may take to go, in milliseconds. */
const DELETION_MS = 60_000;

/** Deletes the load balancer's objects, then the user's own. */
export async function removeObjects(
  { addressTimeout }: Pick<Settings, "addressTimeout">,
  { report, signal }: Session,
  api: ApiServer,
  { objects, manifests }: Pick<TeardownPlan, "objects" | "manifests">,
): Promise<void> {
  const remove = async (object: ObjectReference, limit: number) => {
    await recording(report, objectChangeKey(object), () =>
      changing(report, async (nothingChanged) => {
        if (!(await deleteAndAwait(api, object, limit, signal))) nothingChanged();
      }),
    );
    info(`${object.kind} ${object.namespace}/${object.name} is gone.`);
  };
  // The Ingress goes first: Google's load balancer uses the other objects until it is gone, and the Ingress's
  // finalizer holds as long.
  for (const object of objects) if (object.kind === "Ingress") await remove(object, addressTimeout);
  const others = objects.filter(({ kind }) => kind !== "Ingress");
  await allOf(others.map((object) => remove(object, DELETION_MS)));
  for (const manifest of manifests) {
    const change = objectChangeKey({ kind: manifest.kind, name: manifest.metadata.name });
    await recording(report, change, () =>
      changingAtomically(
        report,
        () => api.remove(manifest),
        (wasThere) => wasThere,
      ),
    );
    info(`${manifest.kind} ${manifest.metadata.name} is deleted.`);
  }
}

/** Releases the static address if the inputs ask for it. Logs what becomes of it. */
export async function releaseStaticAddress(
  { staticIpName }: Pick<Settings, "staticIpName">,
  { report }: Session,
  unwanted: UnwantedAddress | undefined,
): Promise<void> {
  if (unwanted) {
    const { name, scope, project } = unwanted;
    const wasThere = await recording(report, objectChangeKey({ kind: "static address", name }), () =>
      changingAtomically(
        report,
        () => releaseAddress(scope, name, project),
        (wasReleased) => wasReleased,
      ),
    );
    info(`The static address ${name} ${wasThere ? "is released" : "is gone already"}.`);
  } else if (staticIpName) {
    info(`The static address ${staticIpName} stays reserved (delete_static_ip: true releases it).`);
  }
}
