/** The part of pino's logger that the database needs, so that tests can pass something smaller. */
export interface DatabaseLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
