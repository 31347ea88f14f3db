import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import type { Caller } from "../../api/caller.ts";
import type { ServerContext } from "../../api/context.ts";
import { TUNNEL_ID } from "../../api/contract/agent.ts";
import { redeemTicket } from "../../lease/relay-ticket-store.ts";
import { findLease, getLeaseOfParty, type Lease } from "../../lease/store.ts";
import { refusal } from "../../refusal/refusal.ts";
import { CLOSED_FOR_GOOD } from "../../tunnel/carrier.ts";
import { FRAME_BYTES_MAX } from "../../tunnel/frame.ts";
import { type HostId, type JoinId, type LeaseId, newId } from "../../unit/id.ts";
import type { AgentReach } from "../agent-connections.ts";
import type { SocketRoute } from "../upgrade.ts";
import { joinStreams } from "./join-streams.ts";

/** An agent that is there joins within one round trip. */
const JOIN_WITHIN_MS = 10_000;
/** A browser-like use of a port that is forwarded opens a dozen; this is for whoever opens without end. */
const TUNNELS_OF_LEASE_MAX = 32;
/** "Try again later": the ends do. */
const LATER = 1013;

interface Waiting {
  readonly hostId: HostId;
  readonly joined: (agent: WebSocket) => void;
}

/**
 * The way in where the host is not within the client's reach. A tunnel's state lies at its two ends,
 * the client's program and the agent; here its connections are joined, one after another, and only
 * while the lease is ready. A server that is started again knows nothing of them and needs not.
 */
export function createRelay(context: ServerContext, reach: AgentReach): readonly SocketRoute[] {
  const waiting = new Map<JoinId, Waiting>();
  const open = new Map<LeaseId, number>();
  return [
    {
      path: "/v1/client/leases/:leaseId/relay",
      messageBytesMax: FRAME_BYTES_MAX,
      accept: async (request, caller, part) => {
        const { lease, tunnelId } = await admit(context, request, caller, part);
        const count = open.get(lease.leaseId) ?? 0;
        if (count >= TUNNELS_OF_LEASE_MAX) {
          throw refusal("too-many-tunnels", { leaseId: lease.leaseId, most: TUNNELS_OF_LEASE_MAX });
        }
        return (client) => {
          countWhileOpen(open, lease.leaseId, client);
          askAgent({ context, reach, waiting }, lease, tunnelId, client);
        };
      },
    },
    {
      path: "/v1/agent/tunnels/:joinId",
      messageBytesMax: FRAME_BYTES_MAX,
      accept: async (_request, caller, part) => {
        const joinId = part as JoinId;
        const found = waiting.get(joinId);
        if (caller.kind !== "agent" || found?.hostId !== caller.host.hostId) {
          throw refusal("not-found", { what: "tunnel", id: joinId.slice(0, 64) });
        }
        waiting.delete(joinId);
        return found.joined;
      },
    },
  ];
}

/** By a ticket for this lease and this key, which is used up, and a lease that is ready. */
async function admit(
  { db, clock }: ServerContext,
  { headers }: IncomingMessage,
  caller: Caller,
  part: string,
): Promise<{ lease: Lease; tunnelId: string }> {
  if (caller.kind !== "party") throw new Error("only a party comes this far");
  const { partyId, keyId } = caller.party;
  const leaseId = part as LeaseId;
  const { "sublet-ticket": ticket, "sublet-tunnel": tunnelId } = headers;
  if (typeof ticket !== "string") throw refusal("ticket-missing", {});
  if (typeof tunnelId !== "string" || !TUNNEL_ID.test(tunnelId)) {
    throw refusal("invalid-input", { message: "the header sublet-tunnel names no tunnel" });
  }
  await redeemTicket(db.kysely, ticket, { leaseId, keyId, now: clock.now() });
  const lease = await getLeaseOfParty(db.kysely, partyId, leaseId);
  const { state } = lease;
  if (state !== "ready") throw refusal("lease-not-ready", { leaseId, state });
  return { lease, tunnelId };
}

function countWhileOpen(open: Map<LeaseId, number>, leaseId: LeaseId, client: WebSocket): void {
  open.set(leaseId, (open.get(leaseId) ?? 0) + 1);
  client.once("close", () => {
    const left = (open.get(leaseId) ?? 1) - 1;
    if (left > 0) open.set(leaseId, left);
    else open.delete(leaseId);
  });
}

function askAgent(
  {
    context,
    reach,
    waiting,
  }: { context: ServerContext; reach: AgentReach; waiting: Map<JoinId, Waiting> },
  { leaseId, hostId }: Lease,
  tunnelId: string,
  client: WebSocket,
): void {
  const { log, clock } = context;
  const about = { leaseId, hostId, tunnelId };
  const joinId = newId("join", clock.now().getTime());
  // What it says before somebody listens waits in its own buffers.
  client.pause();
  client.on("error", (error) => log.info({ err: error, ...about }, "a tunnel's client broke"));
  const timer = setTimeout(() => giveUp("the host did not answer"), JOIN_WITHIN_MS);
  const giveUp = (reason: string) => {
    client.resume();
    client.close(LATER, reason);
  };
  const sockets = [client];
  endWithLease(context, leaseId, sockets);
  client.once("close", () => {
    clearTimeout(timer);
    waiting.delete(joinId);
  });
  const joined = (agent: WebSocket) => {
    clearTimeout(timer);
    agent.on("error", (error) => log.info({ err: error, ...about }, "a tunnel's agent broke"));
    if (client.readyState !== client.OPEN) return agent.close(1012, "the client is gone");
    sockets.push(agent);
    joinStreams(client, agent);
    log.info(about, "a tunnel is joined");
  };
  waiting.set(joinId, { hostId, joined });
  if (!reach.tell(hostId, { kind: "tunnel", joinId, leaseId, tunnelId })) {
    giveUp("the host is not connected");
  }
}

/** From `ending` on there is no way in, also for who is in already. */
function endWithLease(context: ServerContext, leaseId: LeaseId, sockets: WebSocket[]): void {
  const { db, changes, log } = context;
  const [client] = sockets;
  const look = () => {
    isReady(db, leaseId).then(
      (ready) => {
        if (ready) return;
        for (const socket of sockets) {
          socket.resume();
          socket.close(CLOSED_FOR_GOOD, "lease-over");
        }
      },
      // Its host ends the guest anyway; the next change of the lease asks again.
      (error: unknown) => log.warn({ err: error, leaseId }, "could not look at a tunnel's lease"),
    );
  };
  const unsubscribe = changes.subscribe(leaseId, look);
  client?.once("close", unsubscribe);
  // It may have ended between the ticket and now.
  look();
}

async function isReady({ kysely }: ServerContext["db"], leaseId: LeaseId): Promise<boolean> {
  return (await findLease(kysely, leaseId))?.state === "ready";
}
