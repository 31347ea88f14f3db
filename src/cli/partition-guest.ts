import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Option } from "commander";
import type { OwnGuestView } from "../agent/own/show.ts";
import type { LeaseId } from "../unit/id.ts";
import { InputError } from "../unit/quantity.ts";
import { agentOption, callAgentSocket, guestPath, requiredAgentOption } from "./agent-socket.ts";
import { confirm } from "./confirm.ts";
import type { Context, Outcome } from "./context.ts";
import { CliError, EXIT_OURS } from "./failure.ts";
import { readImageFolder } from "./image/folder.ts";
import { progress } from "./output/progress.ts";
import { facts } from "./output/table.ts";
import { plainText } from "./plain-text.ts";
import { identityOption, runIn } from "./run-verb.ts";
import { chosenKey, identityFor } from "./ssh/key.ts";
import { pinHostKey } from "./ssh/way-in.ts";
import { until } from "./until-own-guest.ts";
import { type Verb, verb } from "./verb.ts";

/** Own guests open with a key of their own, beside those of the logins, unless told another. */
const OWN_KEY = "own-guests";
/** A folder of images is copied by the agent while we wait. */
const COPY_TIMEOUT_MS = 600_000;

interface StartInput {
  readonly name: string;
  readonly agent: string;
  readonly image?: string;
  readonly sshKey?: string;
}

const start = verb<StartInput>({
  usage: "start <name>",
  summary: "Start a guest of your own in a partition of this computer, or start it again.",
  examples: [
    "sublet partition start p1 --image small-linux/ --ssh-key ~/.ssh/id_ed25519.pub --agent /run/sublet/agent.sock",
    "sublet partition start p1 --agent /run/sublet/agent.sock",
  ],
  more: "Without a lease and without a server, in a partition that is not lendable. The image is a folder as\n`npm run small-linux` makes, or the name of one on the server's file server. A guest that is there\nstarts again on its disk, without --image. It waits until the guest's way in answers.",
  speaksAs: false,
  options: [
    new Option("--image <folder or name>", "what a new guest boots"),
    new Option("--ssh-key <file>", "the public key that opens it; by default one is made"),
    requiredAgentOption(),
  ],
  run: async (context, { name, agent, image, sshKey }) => {
    if (image === undefined) {
      const asked = await ask(agent, "POST", guestPath(name), {});
      return shown(context, agent, await until(context, agent, asked, isUp));
    }
    const { sshPublicKey: clientKey, remember } = await chosenKey(context, OWN_KEY, sshKey);
    const given = await readImage(image);
    if ("files" in given) progress(context).line(`${image} is copied and checked by the agent`);
    const body = { image: given, clientKey };
    const asked = await ask(agent, "POST", guestPath(name), body, COPY_TIMEOUT_MS);
    await remember(asked.guestId);
    return shown(context, agent, await until(context, agent, asked, isUp));
  },
});

const stop = verb<{ name: string; agent: string }>({
  usage: "stop <name>",
  summary: "Power your own guest of a partition off; its disk stays.",
  examples: ["sublet partition stop p1 --agent /run/sublet/agent.sock"],
  speaksAs: false,
  options: [requiredAgentOption()],
  run: async (context, { name, agent }) => {
    const asked = await ask(agent, "PUT", `${guestPath(name)}/power`, { state: "off" });
    return shown(
      context,
      agent,
      await until(context, agent, asked, ({ state }) => state === "off"),
    );
  },
});

const wipe = verb<{ name: string; agent: string; yes?: true }>({
  usage: "wipe <name>",
  summary: "End your own guest of a partition and remove its disk.",
  examples: ["sublet partition wipe p1 --agent /run/sublet/agent.sock --yes"],
  speaksAs: false,
  options: [new Option("--yes", "do not ask"), requiredAgentOption()],
  run: async (context, { name, agent, yes }) => {
    const found = await ask(agent, "GET", guestPath(name));
    const question = `The guest of ${name} ends and its disk is removed for good.`;
    if (!yes && !(await confirm(context, question))) {
      throw new CliError("not-confirmed", "nothing was removed; the guest goes on");
    }
    const asked = await ask(agent, "DELETE", guestPath(name));
    const isGone = ({ state }: OwnGuestView) => state === "wiped" || state === "failed";
    const gone = await until(context, agent, asked, isGone);
    return { json: gone, text: `the guest of ${name} (${found.guestId}) and its disk are gone` };
  },
});

const consoleOf = verb<{ name: string; agent: string }>({
  usage: "console <name>",
  summary: "Show the end of what your own guest of a partition wrote to its console.",
  examples: ["sublet partition console p1 --agent /run/sublet/agent.sock"],
  speaksAs: false,
  options: [requiredAgentOption()],
  run: async (_context, { name, agent }) => {
    const answer = await callAgentSocket(agent, "GET", `${guestPath(name)}/console`);
    const { guestId, text } = answer as { guestId: string; text: string };
    const plain = plainText(text);
    return { json: { guestId, text: plain }, text: plain.trimEnd() };
  },
});

interface SshInput {
  readonly name: string;
  readonly command: string[];
  readonly agent?: string;
  readonly identity?: string;
}

const ssh = verb<SshInput>({
  usage: "ssh <name> [command...]",
  summary: "Open a shell in your own guest of a partition, or run a command there.",
  examples: ["sublet partition ssh p1 --agent /run/sublet/agent.sock -- uname -a"],
  speaksAs: false,
  options: [agentOption(), identityOption()],
  passThrough: true,
  failureExitCode: EXIT_OURS,
  run: async (context, { name, command, agent, identity }) => {
    if (agent === undefined) throw new InputError("say which agent with --agent SOCKET");
    if (context.json && command.length === 0) {
      throw new InputError("--json needs a command; a shell has no one document to print");
    }
    const { guestId, access, state } = await ask(agent, "GET", guestPath(name));
    if (access === null) {
      const message = `the guest of ${name} is ${state}; wait until it runs, or start it with \`sublet partition start ${name}\``;
      throw new CliError("guest-not-running", message);
    }
    const { configFolder } = context.environment;
    const identityFile =
      identity === undefined
        ? await identityFor(configFolder, OWN_KEY, guestId)
        : resolve(identity);
    const knownHostsFile = await pinHostKey(configFolder, guestId, access.hostKey);
    const target = { leaseId: guestId, access, identityFile, knownHostsFile };
    return runIn(context, target, command, "as-ssh-does");
  },
});

export const ownGuestVerbs: readonly Verb[] = [start, stop, wipe, consoleOf, ssh];

function isUp({ state }: OwnGuestView): boolean {
  return state === "running";
}

async function ask(
  agent: string,
  method: string,
  path: string,
  body?: unknown,
  timeoutMs?: number,
): Promise<OwnGuestView> {
  return (await callAgentSocket(agent, method, path, body, timeoutMs)) as OwnGuestView;
}

/** A folder with an `image.json` is a folder; all else is a name for the file server. */
async function readImage(text: string) {
  const folder = resolve(text);
  if (!existsSync(join(folder, "image.json")) && !text.includes("/")) return { name: text };
  const { manifest, files } = await readImageFolder(folder);
  return { manifest, files: files.map((file) => join(folder, file)) };
}

function shown(context: Context, agent: string, guest: OwnGuestView): Outcome {
  const { guestId, partition, state, image, access } = guest;
  const known = join(context.environment.configFolder, "leases", guestId as LeaseId, "known_hosts");
  const ways: [string, string][] =
    access === null || state !== "running"
      ? []
      : [
          ["way in", `sublet partition ssh ${partition} --agent ${agent}`],
          [
            "or",
            `ssh -p ${access.port} -o UserKnownHostsFile=${known} -o HostKeyAlias=${guestId} ${access.user}@${access.address}`,
          ],
          ["host key", access.hostKey],
        ];
  const text = facts([
    ["guest", `${guestId} in ${partition}`],
    ["state", state],
    ["image", image ?? "-"],
    ...ways,
  ]);
  return { json: guest, text };
}
