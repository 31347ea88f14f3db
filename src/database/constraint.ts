/** The name of the constraint or guard that the database refused by, or undefined for other errors. */
export function violatedConstraint(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("constraint" in error)) return undefined;
  return typeof error.constraint === "string" ? error.constraint : undefined;
}

/** What the guard said besides, such as the lease that holds a partition. */
export function violationDetail(error: unknown): string {
  return error instanceof Error && "detail" in error ? String(error.detail) : "";
}
