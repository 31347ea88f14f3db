import { Option } from "commander";

/** For verbs that the server does too. */
export function agentInstead(): Option {
  return new Option("--agent <socket>", "at the agent on this computer, without a server");
}
