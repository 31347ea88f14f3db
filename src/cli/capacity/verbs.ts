import type { VerbGroup } from "../verb.ts";
import { card, trust, untrust } from "./at-host.ts";
import { confirmHost, providerCard, register } from "./cards.ts";
import { claim } from "./claim.ts";
import { consent } from "./consent.ts";
import { enable } from "./enable.ts";
import { history } from "./history.ts";
import { issue } from "./issue.ts";
import { keep, lend } from "./lend.ts";
import { list } from "./list.ts";
import { request } from "./request.ts";
import { billNow, giveBack, show, threshold } from "./service.ts";
import { terms } from "./terms.ts";

export const capacityVerbs: VerbGroup = {
  name: "capacity",
  summary: "Standby capacity: enabled by a provider's code, metered, billed",
  verbs: [
    ...[request, claim, list, enable, show, giveBack, threshold, billNow, history, consent],
    ...[lend, keep],
    ...[card, trust, untrust, terms, providerCard, register, confirmHost, issue],
  ],
};
