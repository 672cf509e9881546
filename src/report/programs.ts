import { endpointOf, isByName } from "./endpoint.ts";
import { code, fence, fold } from "./markdown.ts";
import type { RunReport } from "./run-report.ts";

/** The file that the programs read, relative to where they run. */
const CA_FILE = "milvus-ca.pem";

/** Stands for a part that a program does without. */
const MISSING = "\0";

/** What a program must know to reach Milvus. */
interface Target {
  /** With scheme and port. */
  uri: string;
  /** The name in the certificate, where the URI has an address in its place. */
  serverName: string | undefined;
  /** Whether the certificate's authority isn't public, so that {@link CA_FILE} has it. */
  hasOwnAuthority: boolean;
}

/** Returns programs that ask Milvus for its version, in the languages that Milvus has clients for. */
export function connectionPrograms(report: RunReport): string[] {
  const { address, host, caCertificate } = report;
  const uri = endpointOf(report);
  if (!address || !host || !uri) return [];
  const hasOwnAuthority = caCertificate !== undefined;
  const target = { uri, serverName: isByName(report) ? undefined : host, hasOwnAuthority };
  const authority = caCertificate
    ? [`Save the certificate's authority as ${code(CA_FILE)}:`, fence(caCertificate.trim(), "text")]
    : [];
  const token = "Set `MILVUS_TOKEN` to `user:password` or an API key where Milvus asks for one.";
  const programs = [
    fold("Python", fence(python(target), "python")),
    fold("Node.js", fence(node(target), "javascript")),
    fold("Go", fence(go(target), "go")),
    fold("Java", java(target, host)),
  ];
  return [fold("Connect with Python, Node.js, Go or Java", [...authority, token, ...programs].join("\n\n"))];
}

function python({ uri, serverName, hasOwnAuthority }: Target): string {
  return lines`
    # pip install pymilvus
    import os

    from pymilvus import MilvusClient

    client = MilvusClient(
        uri="${uri}",
        token=os.environ.get("MILVUS_TOKEN", ""),
        secure=True,
    ${serverName && `    server_name="${serverName}",`}
    ${hasOwnAuthority && `    server_pem_path="${CA_FILE}",`}
    )
    print(client.get_server_version())`;
}

function node({ uri, serverName, hasOwnAuthority }: Target): string {
  return lines`
    // npm install @zilliz/milvus2-sdk-node
    import { MilvusClient } from "@zilliz/milvus2-sdk-node";

    const client = new MilvusClient({
      address: "${uri}",
      token: process.env.MILVUS_TOKEN,
    ${hasOwnAuthority && `  tls: { rootCertPath: "${CA_FILE}" },`}
    ${serverName && "  channelOptions: {"}
    ${serverName && `    "grpc.ssl_target_name_override": "${serverName}",`}
    ${serverName && `    "grpc.default_authority": "${serverName}",`}
    ${serverName && "  },"}
    });
    console.log((await client.getVersion()).version);
    await client.closeConnection();`;
}

function go({ uri, serverName, hasOwnAuthority }: Target): string {
  const hasOptions = serverName !== undefined || hasOwnAuthority;
  return lines`
    // go get github.com/milvus-io/milvus/client/v2
    package main

    import (
    	"context"
    	"fmt"
    	"log"
    	"os"
    	"time"

    	"github.com/milvus-io/milvus/client/v2/milvusclient"
    ${hasOptions && '	"google.golang.org/grpc"'}
    ${hasOwnAuthority && '	"google.golang.org/grpc/credentials"'}
    )

    func main() {
    	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
    	defer cancel()
    ${hasOwnAuthority && `	authority, err := credentials.NewClientTLSFromFile("${CA_FILE}", "")`}
    ${hasOwnAuthority && "	if err != nil {"}
    ${hasOwnAuthority && "		log.Fatal(err)"}
    ${hasOwnAuthority && "	}"}
    	client, err := milvusclient.New(ctx, &milvusclient.ClientConfig{
    		Address: "${uri}",
    		APIKey:  os.Getenv("MILVUS_TOKEN"),
    ${hasOptions && "		DialOptions: append(milvusclient.DefaultGrpcOpts,"}
    ${hasOwnAuthority && "			grpc.WithTransportCredentials(authority),"}
    ${serverName && `			grpc.WithAuthority("${serverName}"),`}
    ${hasOptions && "		),"}
    	})
    	if err != nil {
    		log.Fatal(err)
    	}
    	version, err := client.GetServerVersion(ctx, milvusclient.NewGetServerVersionOption())
    	if err != nil {
    		log.Fatal(err)
    	}
    	fmt.Println(version)
    }`;
}

/**
 * Java's client takes a server name only together with a file of authorities, and
 * no such file without a name.
 */
function java({ uri, serverName, hasOwnAuthority }: Target, host: string): string {
  if (serverName && !hasOwnAuthority) {
    return "Java's client takes no server name with a public certificate: create the DNS record first.";
  }
  const program = lines`
    // Maven: io.milvus:milvus-sdk-java and org.slf4j:slf4j-simple
    import io.milvus.v2.client.ConnectConfig;
    import io.milvus.v2.client.MilvusClientV2;

    public class Connect {
        public static void main(String[] args) {
            MilvusClientV2 client = new MilvusClientV2(ConnectConfig.builder()
                    .uri("${uri}")
                    .token(System.getenv("MILVUS_TOKEN"))
    ${hasOwnAuthority && `                .serverName("${host}")`}
    ${hasOwnAuthority && `                .serverPemPath("${CA_FILE}")`}
                    .build());
            System.out.println(client.getServerVersion());
            client.close();
        }
    }`;
  return fence(program, "java");
}

/** Returns a text without its indentation, and without the lines whose only part is missing. */
function lines(texts: TemplateStringsArray, ...parts: (string | false | undefined)[]): string {
  const whole = String.raw({ raw: texts }, ...parts.map((part) => part || MISSING));
  return whole
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== MISSING)
    .map((line) => line.replace(/^ {4}/, ""))
    .join("\n");
}
