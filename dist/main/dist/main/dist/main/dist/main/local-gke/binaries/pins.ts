/** Where a program comes from: the official download and, where that can't be had, its source. */
export interface Pin {
  /** Name of the executable. */
  program: string;
  version: string;
  official: OfficialDownload;
  /** Import path of the main package, which `go/go.mod` has in this version. */
  package: string;
  /** Linker flags that set the version that the program reports. */
  ldflags?: string;
}

export interface OfficialDownload {
  url: string;
  checksum: PublishedChecksum;
  archive: "none" | "tar.gz";
  /** Path of the executable in the archive. By default it is alone there. */
  member?: string;
}

/** Where the publisher has the SHA-256: in a file, or in GitHub's description of the release. */
export type PublishedChecksum = { url: string } | { githubRelease: string };

/** As Go calls it. */
export const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "amd64";
/** The version that the API server reports. */
export const KUBERNETES = "1.37.1";
const ETCD = "3.7.0";
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
      checksum: { url: `https://github.com/etcd-io/etcd/releases/download/v${ETCD}/SHA256SUMS` },
      archive: "tar.gz",
      member: `etcd-v${ETCD}-linux-${ARCHITECTURE}/etcd`,
    },
    package: "go.etcd.io/etcd/server/v3",
  },
  "kube-apiserver": kubernetes("kube-apiserver"),
  "kube-controller-manager": kubernetes("kube-controller-manager"),
  "kube-scheduler": kubernetes("kube-scheduler"),
  kubectl: kubernetes("kubectl"),
  kwok: {
    program: "kwok",
    version: KWOK,
    official: {
      url: `https://github.com/kubernetes-sigs/kwok/releases/download/v${KWOK}/kwok-linux-${ARCHITECTURE}`,
      checksum: {
        githubRelease: `https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags/v${KWOK}`,
      },
      archive: "none",
    },
    package: "sigs.k8s.io/kwok/cmd/kwok",
  },
  helm3: helm("3.22.0"),
  helm4: helm("4.3.1"),
  act: {
    program: "act",
    version: ACT,
    official: {
      url: `https://github.com/nektos/act/releases/download/v${ACT}/act_Linux_${ARCHITECTURE === "arm64" ? "arm64" : "x86_64"}.tar.gz`,
      checksum: { url: `https://github.com/nektos/act/releases/download/v${ACT}/checksums.txt` },
      archive: "tar.gz",
    },
    package: "github.com/nektos/act",
  },
  actionlint: {
    program: "actionlint",
    version: ACTIONLINT,
    official: {
      url: `https://github.com/rhysd/actionlint/releases/download/v${ACTIONLINT}/actionlint_${ACTIONLINT}_linux_${ARCHITECTURE}.tar.gz`,
      checksum: {
        url: `https://github.com/rhysd/actionlint/releases/download/v${ACTIONLINT}/actionlint_${ACTIONLINT}_checksums.txt`,
      },
      archive: "tar.gz",
    },
    package: "github.com/rhysd/actionlint/cmd/actionlint",
  },
} satisfies Record<string, Pin>;

export type BinaryName = keyof typeof PINS;

/** A program and its version, as messages and folders have them. */
export function labelOf(pin: Pin, separator = " "): string {
  return `${pin.program}${separator}${pin.version}`;
}

function kubernetes(program: string): Pin {
  const [major, minor] = KUBERNETES.split(".");
  const url = `https://dl.k8s.io/release/v${KUBERNETES}/bin/linux/${ARCHITECTURE}/${program}`;
  // Without these a client sees v0.0.0-master.
  const version = [
    `-X k8s.io/component-base/version.gitVersion=v${KUBERNETES}`,
    `-X k8s.io/component-base/version.gitMajor=${major}`,
    `-X k8s.io/component-base/version.gitMinor=${minor}`,
    `-X k8s.io/client-go/pkg/version.gitVersion=v${KUBERNETES}`,
  ];
  return {
    program,
    version: KUBERNETES,
    official: { url, checksum: { url: `${url}.sha256` }, archive: "none" },
    package: `k8s.io/kubernetes/cmd/${program}`,
    ldflags: version.join(" "),
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
      checksum: { url: `${url}.sha256sum` },
      archive: "tar.gz",
      member: `linux-${ARCHITECTURE}/helm`,
    },
    package: `helm.sh/helm/v${major}/cmd/helm`,
    ldflags: `-X helm.sh/helm/v${major}/internal/version.version=v${version}`,
  };
}
