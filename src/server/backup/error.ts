/** Why a backup or a restore cannot be. The message is a sentence that tells the way out. */
export class BackupError extends Error {
  override readonly name = "BackupError";
  readonly code: BackupErrorCode;
  constructor(code: BackupErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type BackupErrorCode =
  | "folder-not-empty"
  | "folder-not-made"
  | "no-database"
  | "backup-incomplete"
  | "backup-unreadable"
  | "backup-damaged"
  | "backup-newer";
