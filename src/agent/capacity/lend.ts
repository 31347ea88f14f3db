import { leftOf } from "../../enablement/capacity/account.ts";
import type { LentCode } from "../../enablement/capacity/lent.ts";
import { inTransaction } from "../../meter/transaction.ts";
import { Refusal, refusal } from "../../refusal/refusal.ts";
import type { CodeId } from "../../unit/id.ts";
import { type AgentContext, hasServer } from "../context.ts";
import { acceptCode } from "./accept.ts";
import { writeAct } from "./act-store.ts";
import { type CapacityNow, tellCapacityTime } from "./clock-store.ts";
import { accountOf, listCodes, readCode, type StoredCode, setLent } from "./code-store.ts";
import { freeAtOnce, freeStandby, refuseProvider } from "./headroom.ts";
import { hostIdOf } from "./host.ts";
import { listReservations } from "./reservation-store.ts";
import { listServices, readService } from "./service-store.ts";
import { inCapacityTurn } from "./turn.ts";

/** Codes whose resource-time the host's owner lends: they serve leases, and nothing else. */

export interface Lent {
  readonly codeId: CodeId;
  /** It was so before, and nothing was done now. */
  readonly isSoAlready: boolean;
}

/** A code as it was issued, which is accepted first; or one that is in the accounts. */
export type LendWish = string | { readonly codeId: CodeId };

/** From now on leases alone draw on the code. Repeating it changes nothing. */
export function lend(context: AgentContext, code: LendWish): Promise<Lent | Refusal> {
  return inCapacityTurn(context, async () => {
    if (!hasServer(context)) {
      const what = "a code for leases, on a host without a server, where nothing is leased,";
      const instead = "use it for your own guests with `sublet capacity enable`";
      return refusal("unsupported", { what, instead });
    }
    const accepted = typeof code === "string" ? acceptCode(context, code) : null;
    if (accepted instanceof Refusal) return accepted;
    const codeId = typeof code === "string" ? accepted?.code.jti : code.codeId;
    return inTransaction(context.db, () => lendNow(context, codeId ?? ""));
  });
}

function lendNow(context: AgentContext, codeId: string): Lent | Refusal {
  const { db, log } = context;
  const now = tellCapacityTime(context);
  const stored = readCode(db, codeId);
  if (stored === null) return refusal("not-found", { what: "code", id: codeId });
  const { code } = stored;
  if (stored.lentAt !== null) return { codeId: code.jti, isSoAlready: true };
  const no = refuseLending(context, now, stored);
  if (no !== null) return no;
  setLent(db, code.jti, { at: now.at, left: leftOf(accountOf(stored)) });
  writeAct(db, hostIdOf(context), now, { kind: "code-lent", codeId: code.jti });
  log.info({ codeId, resource: code.resource, quantity: code.quantity }, "a code is lent");
  return { codeId: code.jti, isSoAlready: false };
}

/** What the owner uses of it comes first, and what it promises must be there. */
function refuseLending(
  context: AgentContext,
  now: CapacityNow,
  stored: StoredCode,
): Refusal | null {
  const { code } = stored;
  const { jti: codeId, iss: providerId, resource, quantity } = code;
  const isOver = Date.parse(code.validity.end) <= now.atMs;
  if (isOver || leftOf(accountOf(stored)) === 0n) return refusal("capacity-none", { resource });
  const users = usersOf(context, now, stored);
  if (users.length > 0) return refusal("code-in-service", { codeId, services: users });
  const no = refuseProvider(context, { providerId, resource });
  if (no !== null) return no;
  const free = freeStandby(context, resource, now.atMs);
  if (quantity <= free) return null;
  return refusal("standby-taken", { resource, wanted: quantity, free });
}

/** Services that began with the code, have reserved of it, or could not be without it. */
function usersOf(context: AgentContext, now: CapacityNow, { code }: StoredCode): string[] {
  const { db } = context;
  const { jti: codeId, iss: providerId, resource } = code;
  const reserved = listReservations(db)
    .filter((row) => row.codeId === codeId)
    .map(({ serviceId }) => serviceId);
  const services = listServices(db).filter(({ isLent }) => !isLent);
  const begun = services.filter((service) => service.codeId === codeId);
  const others = services.filter(
    (one) => one.providerId === providerId && one.resource === resource,
  );
  const isNeeded = freeAtOnce(context, { providerId, resource }, now.atMs, codeId) < 0;
  const users = [...begun, ...(isNeeded ? others : [])].map(({ serviceId }) => serviceId);
  return [...new Set([...reserved, ...users])];
}

/**
 * Makes a lent code the owner's own again. Only the server asks for it, which has seen to it that no
 * lease counts on the code; what is still reserved of it here refuses all the same.
 */
export function keep(context: AgentContext, codeId: CodeId): Promise<Lent | Refusal> {
  return inCapacityTurn(context, async () => inTransaction(context.db, keepNow));

  function keepNow(): Lent | Refusal {
    const { db, log } = context;
    const now = tellCapacityTime(context);
    const stored = readCode(db, codeId);
    if (stored === null) return refusal("not-found", { what: "code", id: codeId });
    if (stored.lentAt === null) return { codeId, isSoAlready: true };
    const [row] = listReservations(db).filter((one) => one.codeId === codeId);
    const leaseId = row && readService(db, row.serviceId)?.leaseId;
    if (leaseId) return refusal("code-serves-lease", { codeId, leaseId });
    setLent(db, codeId, null);
    writeAct(db, hostIdOf(context), now, { kind: "code-kept", codeId });
    log.info({ codeId }, "a code is its owner's own again");
    return { codeId, isSoAlready: false };
  }
}

/** All that the market may count on, as the server is told it. */
export function listLent({ db }: Pick<AgentContext, "db">): LentCode[] {
  return listCodes(db).flatMap(({ code, lentAt, lentLeft }) =>
    lentAt === null
      ? []
      : [
          {
            ...{ codeId: code.jti, providerId: code.iss, resource: code.resource },
            ...{ quantity: code.quantity, validity: code.validity },
            resourceTime: (lentLeft ?? 0n).toString(),
          },
        ],
  );
}
