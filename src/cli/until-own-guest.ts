import { setTimeout as systemSleep } from "node:timers/promises";
import type { OwnGuestView } from "../agent/own/show.ts";
import { callAgentSocket } from "./agent-socket.ts";
import type { Context } from "./context.ts";
import { CliError } from "./failure.ts";
import { progress } from "./output/progress.ts";

const POLL_MS = 300;
/** Longer than an agent gives a guest to boot. */
const PATIENCE_MS = 240_000;

/** Waits until the guest is as wanted. That it fails or goes ends the waiting, by name. */
export async function until(
  context: Context,
  agent: string,
  first: OwnGuestView,
  isWanted: (guest: OwnGuestView) => boolean,
): Promise<OwnGuestView> {
  const { sleep = systemSleep, clock } = context;
  const shown = progress(context);
  const startedAtMs = clock.now().getTime();
  try {
    for (let guest = first; ; ) {
      if (isWanted(guest)) return guest;
      const waitedMs = clock.now().getTime() - startedAtMs;
      refuseHopeless(guest, waitedMs);
      shown.update(
        `${guest.guestId} is ${guest.state} (${guest.stage}), waited ${Math.floor(waitedMs / 1000)} s`,
      );
      await sleep(POLL_MS);
      guest = (await callAgentSocket(agent, "GET", `/v1/guests/${first.guestId}`)) as OwnGuestView;
    }
  } finally {
    shown.done();
  }
}

function refuseHopeless({ guestId, state, reason, failure }: OwnGuestView, waitedMs: number): void {
  const about = { guestId, state };
  if (state === "failed" || (state === "ending" && failure !== null)) {
    const message = `${failure ?? reason}; nothing of it is left, start it again when that is mended`;
    throw new CliError(reason ?? "guest-failed", message, about);
  }
  if (state === "wiped") throw new CliError("guest-gone", "the guest was wiped meanwhile", about);
  if (waitedMs > PATIENCE_MS) {
    const message = `the guest is still ${state}; the agent goes on with it, see \`sublet host show --agent\` and its console`;
    throw new CliError("guest-slow", message, about);
  }
}
