/** What a party may act as; one party may have several. */
export const ROLES = ["lender", "client", "provider", "operator"] as const;
export type Role = (typeof ROLES)[number];
