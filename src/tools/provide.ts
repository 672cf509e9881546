import { allOf } from "../base/async.ts";
import { ActionError, messageOf } from "../base/errors.ts";
import { info, warning } from "../base/log.ts";
import { choose, newestPublished, parseSupported } from "./choice.ts";
import { install } from "./download.ts";
import { DownloadError, type DownloadObstacle, PATIENCE } from "./http.ts";
import { findInCache, findOnPath } from "./installed.ts";
import { parseMirror } from "./mirror.ts";
import { platformOf } from "./platform.ts";
import {
  type Fit,
  type Found,
  isSupported,
  type ProvidedTool,
  type Publisher,
  type Tool,
  type ToolRequest,
} from "./tool.ts";

/**
 * Returns the tool that a version input asks for: the runner's own, from PATH or the tool cache, if that
 * fits. Otherwise downloads and verifies it. Logs in one line which tool was chosen and why. If `auto` can't
 * download anything, it uses a supported tool of the runner that doesn't quite fit, and warns.
 *
 * @param meaning tells what `auto` means; the runner's own tool is looked for meanwhile
 * @throws ActionError naming the input to change; the signal's reason when it was aborted
 */
export async function provide(
  tool: Tool,
  request: ToolRequest,
  meaning: () => Fit | Promise<Fit>,
): Promise<ProvidedTool> {
  const { signal, patience = PATIENCE } = request;
  const publisher = { tool, ...parseMirror(request.mirror), signal, patience };
  const wanted = parseSupported(tool, request.version);
  const [fit, onPath] = await allOf([meaning(), findOnPath(publisher)]);
  try {
    const choice = await choose(wanted, fit, publisher);
    const found = onPath && choice.accepts(onPath.version) ? onPath : await findInCache(choice, publisher);
    const chosen = found ?? (await download(await choice.newest(), publisher));
    const ignored = onPath && chosen !== onPath ? `; ${onPath.path} is ${onPath.version}` : "";
    const why = `${chosen.origin}, ${choice.reason}${ignored}`;
    info(`${tool.name} ${chosen.version} (${chosen.path}): ${why}.`);
    return { name: tool.name, path: chosen.path, version: chosen.version, why };
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof DownloadError)) throw error;
    const failure = notDownloaded(publisher, error);
    const usable = onPath && isSupported(tool, onPath.version);
    const shutOut = error.obstacle === "unreachable" || error.obstacle === "refused";
    if (wanted.kind !== "auto" || !shutOut || !usable) throw failure;
    // An old tool that works is better than none. A download that fails verification is a reason to stop.
    warning(`${failure.message}\n${tool.name} ${onPath.version} on PATH (${onPath.path}) is used.`);
    const why = `${onPath.origin}, as no other could be downloaded`;
    return { name: tool.name, path: onPath.path, version: onPath.version, why };
  }
}

async function download(version: string, publisher: Publisher): Promise<Found> {
  const { tool, base } = publisher;
  const platform = platformOf(process.platform, process.arch);
  const release = { name: tool.name, version, ...tool.locate(version, platform, base) };
  try {
    return { path: await install(release, publisher), version, origin: "downloaded and verified" };
  } catch (error) {
    if (!(error instanceof DownloadError) || error.obstacle !== "missing") throw error;
    throw new ActionError(
      `${tool.name} ${version} is not published for ${platform.os} on ${platform.arch}.`,
      {
        why: error.message,
        fix: `Set ${tool.name}_version to a release that exists${await alternativesTo(version, publisher)}.`,
        cause: error,
      },
    );
  }
}

async function alternativesTo(version: string, publisher: Publisher): Promise<string> {
  try {
    const newest = (await newestPublished(version, publisher)).filter((each) => each !== version);
    return newest.length > 0 ? ` (the newest at ${publisher.base}: ${newest.join(", ")})` : "";
  } catch (error) {
    info(`The list of published releases is not known: ${messageOf(error)}`);
    return "";
  }
}

function notDownloaded({ tool, base, authorization }: Publisher, error: DownloadError): ActionError {
  const elsewhere = `set ${tool.name}_mirror to a host that has the same files as ${tool.host}`;
  const fixes: Record<DownloadObstacle, string> = {
    missing: `Check ${tool.name}_version, or ${elsewhere}.`,
    refused: authorization
      ? `Check the user and password in ${tool.name}_mirror, and what ${base} lets them read.`
      : `If ${base} needs a user and password, put them into ${tool.name}_mirror (https://user:password@host). If a proxy ` +
        `answers in its place, let the runner through; else ${elsewhere}.`,
    unreachable:
      `Check that the runner reaches ${base} (HTTPS_PROXY, NO_PROXY and NODE_EXTRA_CA_CERTS are respected), or ` +
      `${elsewhere}, or install ${tool.name} on the runner.`,
    unverified: `Run the job again. If it fails again, ${elsewhere}, checksums included${tool.withoutSums ?? ""}.`,
  };
  return new ActionError(`${tool.name} could not be downloaded; nothing was unpacked.`, {
    why: error.message,
    fix: fixes[error.obstacle],
    cause: error,
  });
}
