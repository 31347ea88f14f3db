import { z } from "zod";
import { ApiError, UnreachableError } from "../../api/client/error.ts";
import { capacityResourceSchema } from "../../enablement/capacity/resource.ts";
import { imageManifestSchema } from "../../image/manifest.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import { idSchema, sizeSchema } from "../../unit/schema.ts";
import { cutPartition, cutSchema, removeCut } from "../allocation/cut.ts";
import { listPartitions } from "../allocation/store.ts";
import { capacityRequest, hostCard } from "../capacity/paper.ts";
import { type AgentContext, hasServer } from "../context.ts";
import { beginRotation, rotateKeyOnce } from "../identity/rotate.ts";
import { holderOf, type LeaseRow, readLease } from "../lease/store.ts";
import {
  beginOwnGuest,
  type NamedRefusal,
  ownGuestIn,
  setOwnPower,
  wipeOwnGuest,
} from "../own/guest.ts";
import { viewOwnGuest } from "../own/show.ts";
import { agentState } from "../show-state.ts";
import { judgeCard, pinProvider } from "../trust/pin.ts";
import { listPinned } from "../trust/store.ts";
import { untrustProvider } from "../trust/untrust.ts";
import { type Answer, namedProblem, ok, problem } from "./answer.ts";
import { CAPACITY_COMMANDS } from "./capacity-commands.ts";

/** What a command does with the names in its path and the body, which is JSON or undefined. */
type Command = (context: AgentContext, name: string, body: unknown) => Answer | Promise<Answer>;

/**
 * Every local command, for whoever may open the socket.
 *
 * A host with a server is cut by that server alone; one without is cut here. Own guests and what a
 * provider is given are the owner's on both. Refusals say which.
 */
const COMMANDS: readonly (readonly [method: string, path: RegExp, command: Command])[] = [
  ["GET", /^\/v1\/state$/, (context) => ok(agentState(context))],
  ["POST", /^\/v1\/key\/rotate$/, rotateKey],
  ["PUT", /^\/v1\/partitions\/([^/]+)\/size$/, setSize],
  ["PUT", /^\/v1\/partitions\/([^/]+)$/, setPartition],
  ["DELETE", /^\/v1\/partitions\/([^/]+)$/, removePartition],
  ["POST", /^\/v1\/partitions\/([^/]+)\/guest$/, startGuest],
  ["PUT", /^\/v1\/partitions\/([^/]+)\/guest\/power$/, setPower],
  ["DELETE", /^\/v1\/partitions\/([^/]+)\/guest$/, wipeGuest],
  ["GET", /^\/v1\/partitions\/([^/]+)\/guest$/, showGuestOf],
  ["GET", /^\/v1\/partitions\/([^/]+)\/guest\/console$/, readConsole],
  ["GET", /^\/v1\/guests\/([^/]+)$/, showGuest],
  ["GET", /^\/v1\/capacity\/card$/, (context) => ok(hostCard(context))],
  ["POST", /^\/v1\/capacity\/request$/, requestCapacity],
  ["POST", /^\/v1\/capacity\/providers$/, trustProvider],
  ["POST", /^\/v1\/capacity\/untrust$/, untrust],
  ...CAPACITY_COMMANDS,
];

export async function answerCommand(
  context: AgentContext,
  { method, pathname }: { readonly method: string; readonly pathname: string },
  readBody: () => Promise<unknown>,
): Promise<Answer> {
  for (const [wanted, path, command] of COMMANDS) {
    const match = wanted === method ? path.exec(pathname) : null;
    if (match === null) continue;
    const body = method === "GET" ? undefined : await readBody();
    return command(context, decodeURIComponent(match[1] ?? ""), body);
  }
  return problem(refusal("route-not-found", { path: pathname }));
}

/** The new key is stored in any case; without the server it takes over when that answers. */
async function rotateKey(context: AgentContext): Promise<Answer> {
  if (!hasServer(context)) {
    const what = "a new key for a host without a server, by which its providers know it,";
    const instead = "begin anew with another --data folder and register that with its card";
    return problem(refusal("unsupported", { what, instead }));
  }
  const { kid } = beginRotation(context);
  try {
    await rotateKeyOnce(context);
    return ok({ kid, isInUse: true });
  } catch (error) {
    if (error instanceof UnreachableError) return ok({ kid, isInUse: false });
    if (!(error instanceof ApiError)) throw error;
    return namedProblem(error, error.httpStatus);
  }
}

function setSize(context: AgentContext, name: string, body: unknown): Answer {
  const size = sizeSchema.safeParse(body);
  if (!size.success) return invalid(size.error);
  return setPartition(context, name, { size: size.data });
}

function setPartition(context: AgentContext, name: string, body: unknown): Answer {
  const managed = refuseManaged(context, name);
  if (managed !== null) return managed;
  const cut = cutSchema.safeParse(body);
  if (!cut.success) return invalid(cut.error);
  const done = cutPartition(context, name, cut.data);
  return done instanceof Refusal ? problem(done) : ok(done);
}

function removePartition(context: AgentContext, name: string): Answer {
  const managed = refuseManaged(context, name);
  if (managed !== null) return managed;
  const refused = removeCut(context, name);
  return refused === null ? ok({ name }) : problem(refused);
}

/** With a server that alone says how partitions are cut; in use, a partition is frozen in any case. */
function refuseManaged(context: AgentContext, name: string): Answer | null {
  if (!hasServer(context)) return null;
  const partition = listPartitions(context.db).find((candidate) => candidate.name === name);
  if (partition === undefined) {
    return problem(refusal("not-found", { what: "partition", id: name }));
  }
  const holder = holderOf(context.db, partition.partitionId);
  if (holder?.origin === "own") return problem(refusal("partition-has-guest", { partition: name }));
  if (holder !== null) {
    const until = holder.endsAt ?? "its end";
    const about = { partition: name, leaseId: holder.leaseId, until };
    context.log.warn(about, "a change of a partition in use was refused");
    return problem(refusal("partition-in-use", about));
  }
  const { serverUrl } = context.server.joined;
  return problem(refusal("managed-by-server", { partition: name, serverUrl }));
}

const startSchema = z.strictObject({
  /** Left out: the guest that is there is powered on again. */
  image: z
    .union([
      z.strictObject({
        manifest: imageManifestSchema,
        files: z.array(z.string().startsWith("/").max(4096)).min(1).max(8),
      }),
      z.strictObject({ name: z.string().max(64) }),
    ])
    .optional(),
  clientKey: z.string().max(1024).optional(),
});

async function startGuest(context: AgentContext, name: string, body: unknown): Promise<Answer> {
  const wish = startSchema.safeParse(body);
  if (!wish.success) return invalid(wish.error);
  const { image, clientKey } = wish.data;
  if (image === undefined) return shown(context, setOwnPower(context, name, "on"));
  if (clientKey === undefined) {
    const message = "a new guest needs the public SSH key that opens it; give it with --ssh-key";
    return problem(refusal("invalid-input", { message }));
  }
  return shown(context, await beginOwnGuest(context, name, { image, clientKey }));
}

const powerSchema = z.strictObject({ state: z.enum(["on", "off"]) });

function setPower(context: AgentContext, name: string, body: unknown): Answer {
  const wish = powerSchema.safeParse(body);
  if (!wish.success) return invalid(wish.error);
  return shown(context, setOwnPower(context, name, wish.data.state));
}

function wipeGuest(context: AgentContext, name: string): Answer {
  return shown(context, wipeOwnGuest(context, name));
}

function showGuestOf(context: AgentContext, name: string): Answer {
  return shown(context, ownGuestIn(context, name));
}

/** Also of one that is gone: whoever waited is told how it went. */
function showGuest(context: AgentContext, guestId: string): Answer {
  const row = readLease(context.db, guestId);
  if (row?.origin !== "own") return problem(refusal("not-found", { what: "guest", id: guestId }));
  return shown(context, row);
}

async function readConsole(context: AgentContext, name: string): Promise<Answer> {
  const found = ownGuestIn(context, name);
  if (found instanceof Refusal) return problem(found);
  return ok({ guestId: found.leaseId, text: await context.driver.console(found.leaseId) });
}

const wishSchema = z.strictObject({
  resource: capacityResourceSchema,
  quantity: z.number().int().positive(),
  forSeconds: z.number().int().positive(),
});

function requestCapacity(context: AgentContext, _name: string, body: unknown): Answer {
  const wish = wishSchema.safeParse(body);
  if (!wish.success) return invalid(wish.error);
  const made = capacityRequest(context, wish.data);
  return made instanceof Refusal ? problem(made) : ok(made);
}

const untrustSchema = z.strictObject({ providerId: idSchema("party") });

async function untrust(context: AgentContext, _name: string, body: unknown): Promise<Answer> {
  const asked = untrustSchema.safeParse(body);
  if (!asked.success) return invalid(asked.error);
  const done = await untrustProvider(context, asked.data.providerId);
  return done instanceof Refusal ? problem(done) : ok(done);
}

const trustSchema = z.strictObject({ cardJws: z.string(), pin: z.boolean() });

/** Without `pin` it says what the card would change. `isTrusted`: it was so before. */
function trustProvider(context: AgentContext, _name: string, body: unknown): Answer {
  const asked = trustSchema.safeParse(body);
  if (!asked.success) return invalid(asked.error);
  const { cardJws, pin } = asked.data;
  const trustedBefore = listPinned(context.db).filter(({ isTrusted }) => isTrusted);
  const trust = pin ? pinProvider(context, cardJws) : judgeCard(context, cardJws);
  if (!trust.ok) return namedProblem(trust);
  const { provider, newKids } = trust;
  const kids = provider.keys.map(({ kid }) => kid);
  const { providerId, name } = provider;
  const isTrusted = trustedBefore.some((one) => one.providerId === providerId);
  return ok({ providerId, name, kids, newKids, isTrusted });
}

function shown(context: AgentContext, done: LeaseRow | Refusal | NamedRefusal): Answer {
  if (done instanceof Refusal) return problem(done);
  return "leaseId" in done ? ok(viewOwnGuest(context, done)) : namedProblem(done);
}

function invalid(error: z.ZodError): Answer {
  return problem(refusal("invalid-input", { message: z.prettifyError(error) }));
}
