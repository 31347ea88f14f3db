import { connect } from "node:net";
import type { Carrier } from "../../tunnel/carrier.ts";
import { TunnelEnd } from "../../tunnel/tunnel-end.ts";
import type { ConnectionEnd } from "../../tunnel/web-socket.ts";
import type { AgentContext } from "../context.ts";
import { wayInOf } from "./way-in.ts";

/** A tunnel between two connections waits so long: longer than the client's end tries to continue. */
const DETACHED_MS = 105_000;

export interface GuestTunnel {
  readonly leaseId: string;
  readonly secret: Buffer;
  readonly end: TunnelEnd;
  isOver(): boolean;
  /** It has no connection now, and waits for one. */
  isDetached(): boolean;
  attach(carrier: Carrier): void;
  detach(carrier: Carrier, held: ConnectionEnd): void;
}

/** Opens this host's end of a new tunnel: one TCP connection to the lease's own guest. */
export function dialGuest(
  context: Pick<AgentContext, "db" | "config" | "log">,
  leaseId: string,
  secret: Buffer,
  forget: () => void,
): GuestTunnel {
  const socket = connect({ ...wayInOf(context, leaseId), allowHalfOpen: true, noDelay: true });
  let reason = "guest-unreachable";
  let isOver = false;
  let isDetached = true;
  let timer: NodeJS.Timeout | undefined;
  socket.once("connect", () => {
    reason = "guest-gone";
  });
  // A while after its end too: the client's end may not have heard that it is done.
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      end.fail("tunnel-abandoned");
      forget();
    }, DETACHED_MS).unref();
  };
  const end = new TunnelEnd({
    readable: socket,
    writable: socket,
    secret,
    brokenBy: () => reason,
    onOutcome: (outcome) => {
      isOver = true;
      context.log.info({ leaseId, ...outcome }, "a tunnel is over");
      wait();
    },
  });
  return {
    ...{ leaseId, secret, end },
    isOver: () => isOver,
    isDetached: () => isDetached && !isOver,
    attach: (carrier) => {
      if (!isOver) clearTimeout(timer);
      isDetached = false;
      end.attach(carrier);
    },
    detach: (carrier, held) => {
      if (!end.detach(carrier)) return;
      isDetached = true;
      // The client's end has given it up, and says so.
      if (held.kind === "for-good") end.fail(held.reason);
      else wait();
    },
  };
}
