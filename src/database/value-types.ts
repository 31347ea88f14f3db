import pg from "pg";

/**
 * How PostgreSQL's values reach this program. Scoped to our connections, not to the pg module, so
 * that another library in the process keeps what it expects.
 * - int8: `bigint`, since quantities and money pass 2^53
 * - numeric, ranges, date, timestamp without time zone: the text; a `Date` would add a zone to them
 * - timestamptz: `Date`
 */
export const valueTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    format === "binary"
      ? pg.types.getTypeParser(oid, "binary")
      : (PARSERS.get(oid) ?? pg.types.getTypeParser(oid, "text"))) as typeof pg.types.getTypeParser,
};

/** OIDs of built-in types are the same in every PostgreSQL (pg_type.dat). */
const OID = {
  int8: 20,
  int8Array: 1016,
  date: 1082,
  dateArray: 1182,
  timestamp: 1114,
  timestampArray: 1115,
  numericArray: 1231,
  textArray: 1009,
} as const;

const asText = (value: string): string => value;
// The typings name only the types that have a parser of their own kind.
const parseTextArray = (pg.types.getTypeParser as (oid: number) => (value: string) => unknown)(
  OID.textArray,
);
const asTextArray = (value: string): unknown => parseTextArray(value);

const PARSERS = new Map<number, (value: string) => unknown>([
  [OID.int8, BigInt],
  [OID.int8Array, (value) => toBigInts(asTextArray(value))],
  [OID.date, asText],
  [OID.dateArray, asTextArray],
  [OID.timestamp, asText],
  [OID.timestampArray, asTextArray],
  [OID.numericArray, asTextArray],
]);

function toBigInts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toBigInts);
  return value === null ? null : BigInt(value as string);
}
