import { timingSafeEqual } from "node:crypto";
import type { ServerHint } from "../../api/contract/agent.ts";
import { type Carrier, CLOSED_FOR_GOOD } from "../../tunnel/carrier.ts";
import { readFrame } from "../../tunnel/frame.ts";
import { holdTunnelConnection } from "../../tunnel/web-socket.ts";
import type { JoinedContext } from "../context.ts";
import { dialGuest, type GuestTunnel } from "./dial-guest.ts";
import { whyNoWayIn } from "./way-in.ts";

type JoinHint = Extract<ServerHint, { kind: "tunnel" }>;
type Context = Pick<JoinedContext, "db" | "config" | "server" | "log" | "ended" | "clock">;

export interface Tunnels {
  /** Opens a connection for a tunnel, new or known, and holds it until it is over. Never throws. */
  join(context: Context, hint: JoinHint, token: string): Promise<void>;
  /** On this host's own knowledge: who is in is in no longer. */
  endLease(leaseId: string): void;
  close(): void;
  /** Of a lease, those that are not over. */
  count(leaseId: string): number;
}

/** As the server's own limit, which this host does not rely on. */
const TUNNELS_OF_LEASE_MAX = 32;

/**
 * The tunnels that end at this host's guests. What a tunnel's connection carries is between its two
 * ends; each of its connections is another WebSocket of this agent's.
 */
export function createTunnels(): Tunnels {
  const tunnels = new Map<string, GuestTunnel>();
  const ofLease = (leaseId: string) => [...tunnels].filter(([, one]) => one.leaseId === leaseId);
  const count = (leaseId: string) => ofLease(leaseId).filter(([, one]) => !one.isOver()).length;

  /** One whose client has gone without a word gives way to one that is there. */
  const makeRoom = (leaseId: string): boolean => {
    if (count(leaseId) < TUNNELS_OF_LEASE_MAX) return true;
    const left = ofLease(leaseId).find(([, one]) => one.isDetached())?.[1];
    left?.end.fail("tunnel-abandoned");
    return left !== undefined;
  };

  const find = (context: Context, hint: JoinHint, first: Buffer): GuestTunnel | string => {
    const frame = readFrame(first);
    if (frame?.kind !== "hello") return "tunnel-garbled";
    const known = tunnels.get(hint.tunnelId);
    if (known !== undefined) {
      const isItsOwn =
        known.leaseId === hint.leaseId && timingSafeEqual(known.secret, frame.secret);
      return isItsOwn ? known : "tunnel-lost";
    }
    // Bytes of it went through an agent that knew it, and to a connection that is gone with that.
    if (frame.kept > 0 || frame.received > 0) return "tunnel-lost";
    if (!makeRoom(hint.leaseId)) return "too-many-tunnels";
    const forget = () => tunnels.delete(hint.tunnelId);
    const dialled = dialGuest(context, hint.leaseId, Buffer.from(frame.secret), forget);
    tunnels.set(hint.tunnelId, dialled);
    return dialled;
  };

  return {
    join: async (context, hint, token) => {
      let tunnel: GuestTunnel | undefined;
      let used: Carrier | undefined;
      const about = { leaseId: hint.leaseId, tunnelId: hint.tunnelId };
      const held = await holdTunnelConnection({
        url: `${context.server.client.url}/v1/agent/tunnels/${hint.joinId}`,
        headers: { authorization: `Bearer ${token}` },
        signal: context.ended.signal,
        onOpen: () => undefined,
        onFrame: (carrier, bytes) => {
          if (tunnel === undefined) {
            const found = whyNoWayIn(context, hint.leaseId) ?? find(context, hint, bytes);
            if (typeof found === "string") {
              context.log.warn({ ...about, reason: found }, "a tunnel is refused");
              return carrier.close(CLOSED_FOR_GOOD, found);
            }
            tunnel = found;
            used = carrier;
            tunnel.attach(carrier);
          }
          tunnel.end.receive(carrier, bytes);
        },
      });
      if (tunnel !== undefined && used !== undefined) tunnel.detach(used, held);
      context.log.info({ ...about, ...held }, "a tunnel's connection is over");
    },
    endLease: (leaseId) => {
      for (const [, tunnel] of ofLease(leaseId)) tunnel.end.fail("lease-over");
    },
    close: () => {
      for (const tunnel of tunnels.values()) tunnel.end.fail("agent-stopped");
    },
    count,
  };
}
