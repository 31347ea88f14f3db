import type { Response } from "../api/contract/contract.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import type { Context } from "./context.ts";
import { facts, table } from "./output/table.ts";
import { instant, money } from "./output/words.ts";

type Account = Response<"showAccount">;
type Statement = Response<"readStatement">;
type Line = Statement["lines"][number];

/** Who never lent is not told of earnings, nor who runs no server of what that has. */
export function accountText(context: Context, account: Account): string {
  const { currency, server, holds } = account;
  const lends = account.earnedMicros !== "0" || account.paidOutMicros !== "0";
  const head = facts([
    ["party", account.party.name],
    ["balance", money(account.balanceMicros, currency)],
    ["held for leases", money(account.holdsMicros, currency)],
    ["credit line", money(account.creditLimitMicros, currency)],
    ["free", `${money(account.freeMicros, currency)}${belowText(account)}`],
    ["earned", money(account.earnedMicros, currency)],
    ...(lends
      ? ([
          ["paid out", money(account.paidOutMicros, currency)],
          ["payout due", money(account.payoutDueMicros, currency)],
        ] as const)
      : []),
    ...(server
      ? ([
          ["server's cash", money(server.cashMicros, currency)],
          ["server's fees", money(server.feeMicros, currency)],
          ["server's rounding", money(server.roundingMicros, currency)],
        ] as const)
      : []),
  ]);
  if (holds.length === 0) return head;
  const rows = holds.map((hold) => [
    hold.leaseId,
    money(hold.amountMicros, currency),
    instant(hold.createdAt),
  ]);
  return `${head}\n\n${table(context, ["HELD FOR", "AMOUNT", "SINCE"], rows)}`;
}

/** What it means to be below the line. */
export function belowText({ freeMicros }: Pick<Account, "freeMicros">): string {
  return BigInt(freeMicros) < 0n ? " (below the line: leases go on, nothing new is booked)" : "";
}

/** A terminal this wide shows a statement with the ids of its postings. */
const WIDE_COLUMNS = 110;

export function statementText(context: Context, statement: Statement): string {
  const { currency, accounts, lines } = statement;
  const several = accounts.length > 1;
  // An id is never broken, and only whoever reverses a posting needs it: there it is in --json.
  const { isTTY, columns = 80 } = context.stdout;
  const isNarrow = isTTY === true && columns < WIDE_COLUMNS;
  const rows = lines.map((line) => [
    instant(line.at),
    ...(several ? [line.account] : []),
    line.kind,
    aboutText(line),
    formatMoneyMicros(BigInt(line.amountMicros)),
    formatMoneyMicros(BigInt(line.balanceMicros)),
    ...(isNarrow ? [] : [line.transactionId]),
  ]);
  const head = facts([
    ["party", statement.party.name],
    ["period", `${instant(statement.from)} to ${instant(statement.to)}`],
    ...accounts.map(
      ({ account, openingMicros }) =>
        [`${account} at its begin`, money(openingMicros, currency)] as const,
    ),
  ]);
  const foot = accounts.map(
    ({ account, closingMicros }) =>
      [`${account} at its end`, money(closingMicros, currency)] as const,
  );
  const headings = [
    "WHEN",
    ...(several ? ["ACCOUNT"] : []),
    "WHAT",
    "FOR",
    "AMOUNT",
    "BALANCE",
    ...(isNarrow ? [] : ["ID"]),
  ];
  const body = rows.length > 0 ? table(context, headings, rows) : "nothing moved";
  return [head, body, ...(foot.length > 0 ? [facts(foot)] : [])].join("\n\n");
}

function aboutText(line: Line): string {
  const others = line.parties.join(", ");
  const parts = [
    line.billId ? `${line.billId}, ${line.host ?? ""}, ${others}` : others,
    line.reverses ? `of ${line.reverses}` : "",
    line.memo,
  ];
  return parts.filter(Boolean).join(": ");
}

const CSV_COLUMNS = [
  ...["transactionId", "at", "kind", "account", "amountMicros", "balanceMicros"],
  ...["billId", "leaseId", "host", "reverses", "parties", "memo"],
] as const;

/** The lines as they are, for a spreadsheet; the balances at both ends are in --json. */
export function statementCsv({ lines }: Statement): string {
  const rows = lines.map((line) => [
    ...[line.transactionId, line.at, line.kind, line.account],
    ...[line.amountMicros, line.balanceMicros],
    ...[line.billId, line.leaseId, line.host, line.reverses, line.parties.join(" "), line.memo],
  ]);
  return [CSV_COLUMNS, ...rows].map((row) => row.map(csvField).join(",")).join("\n");
}

/** Quoted where it must be; what a spreadsheet would reckon as a formula begins with a quote. */
function csvField(value: string | null): string {
  if (value === null) return "";
  const plain = /^[=+\-@]/.test(value) && !/^-?\d+$/.test(value) ? `'${value}` : value;
  return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
