/** Where a program comes from: the official download and, where that can't be reached, its Go module. */
export interface Pin {
  /** Name of the executable. */
  program: string;
  version: string;
  /** Absent when the project publishes no checksums: what can't be verified is not downloaded. */
  official?: {
    url: string;
    checksumUrl: string;
    archive: "none" | "tar.gz";
    /** Path of the executable in the archive. */
    member?: string;
  };
  build: {
    /** Import path of the main package. */
    package: string;
    /**
     * Folder here with the `go.mod` to build it in, for programs whose own module has `replace` directives;
     * the others are installed as `package@version`.
     */
    module?: "kubernetes" | "etcd";
    /** Linker flags that set the version that the program reports. */
    ldflags: string;
  };
}

const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "amd64";
/** The version that the API server reports. */
export const KUBERNETES = "1.35.4";
const ETCD = "3.6.16";
const KWOK = "0.8.0";
const ACT = "0.2.89";
const ACTIONLINT = "1.7.12";

/** Every program that local-gke, its tests and the linters use, by the name to ask for it. */
export const PINS = {
  etcd: {
    program: "etcd",
    version: ETCD,
    official: {
      url: `https://github.com/etcd-io/etcd/releases/download/v${ETCD}/etcd-v${ETCD}-linux-${ARCHITECTURE}.tar.gz`,
      checksumUrl: `https://github.com/etcd-io/etcd/releases/download/v${ETCD}/SHA256SUMS`,
      archive: "tar.gz",
      member: `etcd-v${ETCD}-linux-${ARCHITECTURE}/etcd`,
    },
    build: { package: "go.etcd.io/etcd/server/v3", module: "etcd", ldflags: "" },
  },
  "kube-apiserver": kubernetes("kube-apiserver"),
  "kube-controller-manager": kubernetes("kube-controller-manager"),
  "kube-scheduler": kubernetes("kube-scheduler"),
  kubectl: kubernetes("kubectl"),
  kwok: {
    program: "kwok",
    version: KWOK,
    build: { package: "sigs.k8s.io/kwok/cmd/kwok", ldflags: "" },
  },
  helm3: helm("3.22.0"),
  helm4: helm("4.3.1"),
  act: {
    program: "act",
    version: ACT,
    official: {
      url: `https://github.com/nektos/act/releases/download/v${ACT}/act_Linux_${ARCHITECTURE === "arm64" ? "arm64" : "x86_64"}.tar.gz`,
      checksumUrl: `https://github.com/nektos/act/releases/download/v${ACT}/checksums.txt`,
      archive: "tar.gz",
      member: "act",
    },
    build: { package: "github.com/nektos/act", ldflags: "" },
  },
  actionlint: {
    program: "actionlint",
    version: ACTIONLINT,
    official: {
      url: `https://github.com/rhysd/actionlint/releases/download/v${ACTIONLINT}/actionlint_${ACTIONLINT}_linux_${ARCHITECTURE}.tar.gz`,
      checksumUrl: `https://github.com/rhysd/actionlint/releases/download/v${ACTIONLINT}/actionlint_${ACTIONLINT}_checksums.txt`,
      archive: "tar.gz",
      member: "actionlint",
    },
    build: { package: "github.com/rhysd/actionlint/cmd/actionlint", ldflags: "" },
  },
} satisfies Record<string, Pin>;

export type BinaryName = keyof typeof PINS;

function kubernetes(program: string): Pin {
  const [major, minor, patch] = KUBERNETES.split(".");
  const url = `https://dl.k8s.io/release/v${KUBERNETES}/bin/linux/${ARCHITECTURE}/${program}`;
  // Without these a client is told v0.0.0-master.
  const version = [
    `-X k8s.io/component-base/version.gitVersion=v${major}.${minor}.${patch}`,
    `-X k8s.io/component-base/version.gitMajor=${major}`,
    `-X k8s.io/component-base/version.gitMinor=${minor}`,
    `-X k8s.io/client-go/pkg/version.gitVersion=v${KUBERNETES}`,
  ];
  return {
    program,
    version: KUBERNETES,
    official: { url, checksumUrl: `${url}.sha256`, archive: "none" },
    build: {
      package: `k8s.io/kubernetes/cmd/${program}`,
      module: "kubernetes",
      ldflags: version.join(" "),
    },
  };
}

function helm(version: string): Pin {
  const [major] = version.split(".");
  const url = `https://get.helm.sh/helm-v${version}-linux-${ARCHITECTURE}.tar.gz`;
  return {
    program: "helm",
    version,
    official: {
      url,
      checksumUrl: `${url}.sha256sum`,
      archive: "tar.gz",
      member: `linux-${ARCHITECTURE}/helm`,
    },
    build: {
      package: `helm.sh/helm/v${major}/cmd/helm`,
      ldflags: `-X helm.sh/helm/v${major}/internal/version.version=v${version}`,
    },
  };
}
