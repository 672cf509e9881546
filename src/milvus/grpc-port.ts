import { ActionError } from "../base/errors.ts";
import type { YamlMap } from "../base/yaml.ts";
import { valueAt } from "../helm/values.ts";
import type { Service } from "../kubernetes/objects.ts";

/** The port of Milvus's Service that serves gRPC, as the upgrade will leave it. */
export interface GrpcPort {
  name: string;
  port: number;
}

/** The port of Milvus's Service by default, in its chart and with its operator. */
export const DEFAULT_SERVICE_PORT: GrpcPort = { name: "milvus", port: 19530 };

/**
 * Returns the Service's gRPC port. The values win over the live Service, because the upgrade may rename the
 * port.
 *
 * @throws ActionError if the Service has no gRPC port
 */
export function grpcPort(service: Service, values: YamlMap): GrpcPort {
  const { name, port: number } = portIn(values);
  const live =
    portOfPods(service) ?? service.spec.ports.find((port) => port.port === 19530 || port.name === name);
  if (!live) {
    const ports =
      service.spec.ports.map((port) => `${port.name || "(no name)"} ${port.port}`).join(", ") || "none";
    throw new ActionError(
      `Service ${service.metadata.namespace}/${service.metadata.name} has no gRPC port; nothing was changed.`,
      {
        why: `its ports are: ${ports}. Milvus's chart gives it a port with targetPort milvus (19530).`,
        fix: "check the values service.port and service.portName, and that the release runs Milvus's own chart.",
      },
    );
  }
  return { name: name ?? live.name, port: number ?? live.port };
}

/**
 * Refuses a Service whose gRPC port was changed outside Helm. No upgrade reverts that: Helm changes only what
 * differs between its old and its new manifest.
 *
 * @param deployed the values that the Service was rendered with
 * @throws ActionError with both ports
 */
export function refuseEditedPort(service: Service, deployed: YamlMap): void {
  const { name, port } = portIn(deployed);
  const live = portOfPods(service);
  if (!live || (live.name === (name ?? live.name) && live.port === (port ?? live.port))) return;
  const title = `${service.metadata.namespace}/${service.metadata.name}`;
  throw new ActionError(`The gRPC port of Service ${title} was changed outside Helm; nothing was changed.`, {
    why: `it is ${live.port} (${live.name || "no name"}); the release has ${port ?? live.port} (${name ?? live.name}).`,
    fix: "put it back (`kubectl edit service`), or set service.port and service.portName to it with the input values.",
  });
}

/** Returns the port that targets the pods' gRPC port. */
function portOfPods({ spec: { ports } }: Service): (typeof ports)[number] | undefined {
  return ports.find(({ targetPort }) => targetPort === "milvus" || targetPort === 19530);
}

/** Returns what the values set for the Service's gRPC port. */
function portIn(values: YamlMap): Partial<GrpcPort> {
  const name = valueAt(values, "service", "portName");
  const port = valueAt(values, "service", "port");
  return {
    ...(typeof name === "string" && name !== "" && { name }),
    ...(typeof port === "number" && { port }),
  };
}
