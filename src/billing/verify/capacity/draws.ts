import type { Report } from "../report.ts";
import type { Meter } from "./chains.ts";
import type { Evidence } from "./evidence.ts";

/** No code gives more than it had, and none before or after its time. */
export function checkDraws(evidence: Evidence, meters: readonly Meter[], report: Report): void {
  const drawn = new Map<string, bigint>();
  const pieces = meters.flatMap((meter) => meter.records.map(({ record }) => ({ meter, record })));
  for (const { record, meter } of pieces) {
    for (const { codeId, quantity } of record.capacity?.debits ?? []) {
      drawn.set(codeId, (drawn.get(codeId) ?? 0n) + BigInt(quantity));
      const code = evidence.codes.get(codeId)?.code;
      const where = `record ${record.seq} of ${meter.chainId}`;
      const at = Date.parse(record.from.at);
      const isValid =
        code !== undefined &&
        code.resource === meter.resource &&
        Date.parse(code.validity.start) <= at &&
        at < Date.parse(code.validity.end);
      report.require(isValid, "draw-not-valid", where, `${codeId} was not there to be drawn on`);
    }
  }
  for (const [codeId, quantity] of drawn) {
    const had = BigInt(evidence.codes.get(codeId)?.code.resourceTime ?? 0);
    report.require(quantity <= had, "code-overdrawn", codeId, `${quantity} was drawn of ${had}`);
  }
}
