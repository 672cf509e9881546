import * as v from "valibot";

/** A workload with containers that name Milvus in plain text. Attu's name for the variable is MILVUS_URL. */
const Workload = v.looseObject({
  kind: v.string(),
  metadata: v.looseObject({ name: v.string() }),
  spec: v.looseObject({
    template: v.looseObject({
      spec: v.looseObject({
        containers: v.array(
          v.looseObject({
            env: v.nullish(
              v.array(v.looseObject({ name: v.string(), value: v.nullish(v.string(), "") })),
              () => [],
            ),
          }),
        ),
      }),
    }),
  }),
});

/**
 * Returns the Attu of a release, e.g. `Deployment my-release-milvus-attu`, if it calls Milvus without TLS.
 * Milvus's chart gives it `http://`, whatever the values (zilliztech/milvus-helm, templates/_helpers.tpl).
 *
 * @param objects the release's, as rendered
 */
export function attuWithoutTls(objects: readonly unknown[]): string | undefined {
  const [attu] = objects
    .flatMap((object) => (v.is(Workload, object) ? [v.parse(Workload, object)] : []))
    .filter(({ spec }) =>
      spec.template.spec.containers.some(({ env }) =>
        env.some(({ name, value }) => name === "MILVUS_URL" && value.startsWith("http://")),
      ),
    );
  return attu && `${attu.kind} ${attu.metadata.name}`;
}
