/** Why the schema cannot be brought up to date. The message tells the way out. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type MigrationErrorCode =
  | "server-too-old"
  | "database-newer"
  | "migration-altered"
  | "migration-failed"
  | "migrations-misnumbered";
