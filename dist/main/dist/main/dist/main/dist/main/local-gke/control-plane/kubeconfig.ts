/** Builds a kubeconfig for one cluster and one bearer token, as JSON, which is also YAML. */
export function kubeconfig(cluster: { server: string; caCertificate?: string; token?: string }): string {
  const name = "local-gke";
  return JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      "current-context": name,
      clusters: [
        {
          name,
          cluster: {
            server: cluster.server,
            ...(cluster.caCertificate && {
              "certificate-authority-data": Buffer.from(cluster.caCertificate).toString("base64"),
            }),
          },
        },
      ],
      users: [{ name, user: { ...(cluster.token && { token: cluster.token }) } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
    },
    undefined,
    2,
  );
}
