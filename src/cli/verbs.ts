import { accountVerbs } from "./account.ts";
import { agentVerb } from "./agent.ts";
import { backupVerb, restoreVerb } from "./backup.ts";
import { billVerbs } from "./bill.ts";
import { capacityVerbs } from "./capacity/verbs.ts";
import { completeVerb, completionVerb } from "./completion/verbs.ts";
import { cpVerb } from "./cp.ts";
import { demoVerb } from "./demo.ts";
import { hostVerbs } from "./host.ts";
import { imageVerbs } from "./image.ts";
import { keyVerbs } from "./key.ts";
import { leaseVerbs } from "./lease.ts";
import { loginVerb, whoamiVerb } from "./login.ts";
import { offerVerbs } from "./offer.ts";
import { partitionVerbs } from "./partition.ts";
import { partyVerbs } from "./party.ts";
import { runVerbs } from "./run-list.ts";
import { sshVerb } from "./run-verb.ts";
import { searchVerb } from "./search.ts";
import { serverVerb } from "./server.ts";
import { sshConfigVerb } from "./ssh-config.ts";
import { sshProxyVerb } from "./ssh-proxy.ts";
import { usageVerbs } from "./usage.ts";
import type { Verb, VerbGroup } from "./verb.ts";

/** Everybody's verbs by what one is about, in the order of the help. */
export const chapters: readonly {
  readonly heading: string;
  readonly verbs: readonly (Verb | VerbGroup)[];
}[] = [
  { heading: "Processes:", verbs: [serverVerb, agentVerb, demoVerb] },
  { heading: "Who you are:", verbs: [loginVerb, whoamiVerb, accountVerbs, completionVerb] },
  { heading: "Lending:", verbs: [hostVerbs, partitionVerbs, offerVerbs, capacityVerbs] },
  {
    heading: "Borrowing:",
    verbs: [searchVerb, leaseVerbs, runVerbs, sshVerb, cpVerb, sshConfigVerb, sshProxyVerb],
  },
  { heading: "Paying:", verbs: [billVerbs, usageVerbs] },
  {
    heading: "Operating:",
    verbs: [partyVerbs, keyVerbs, imageVerbs, backupVerb, restoreVerb, completeVerb],
  },
];
