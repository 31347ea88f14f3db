import pg from "pg";
import { SUPERUSER } from "./cluster.ts";

/** A client of the embedded server's own database. Says everything, so that PG* variables do not. */
export function adminClient(socketFolder: string): pg.Client {
  return new pg.Client({
    host: socketFolder,
    port: 5432,
    user: SUPERUSER,
    database: "postgres",
    ssl: false,
    options: "-c TimeZone=UTC",
  });
}
