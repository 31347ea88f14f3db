export type AgentErrorCode =
  | "access-contradicts"
  | "cores-unreadable"
  | "cores-not-allowed"
  | "cores-taken"
  | "memory-taken"
  | "memory-exceeds-host"
  | "disk-exceeds-host"
  | "nothing-to-lend"
  | "resolver-not-public"
  | "standby-cores-not-given"
  | "standby-not-whole"
  | "standby-in-use"
  | "host-has-less"
  | "data-folder-in-use"
  | "data-from-newer-version"
  | "join-token-invalid"
  | "joined-elsewhere"
  | "not-joined"
  | "host-is-alone"
  | "host-name-wrong"
  | "host-is-joined"
  | "provider-card-refused"
  | "server-key-wrong"
  | "agent-not-running";

/** Why the agent does not start, or does not do what it was told. `message` tells the way out. */
export class AgentError extends Error {
  override name = "AgentError";
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
