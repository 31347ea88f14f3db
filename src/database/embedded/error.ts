/** Why the embedded PostgreSQL cannot serve. The message is a sentence that tells the way out. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
  readonly code: EmbeddedPostgresCode;

  constructor(code: EmbeddedPostgresCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type EmbeddedPostgresCode =
  | "data-folder-in-use"
  | "data-folder-of-other-version"
  | "platform-not-supported"
  | "program-missing"
  | "cannot-start"
  | "initdb-failed";
