import { expect, test } from "vitest";
import { sampleReading, sampleRecords } from "../meter/metered.sample.ts";
import { generateKey, keyRing } from "../signature/key.ts";
import { sampleBillInput } from "./bill.sample.ts";
import { makeBill } from "./make-bill.ts";
import { checkSeal, sealBill } from "./seal.ts";

const key = generateKey();
const keys = keyRing([key.publicJwk]);
const bill = makeBill(
  sampleBillInput(
    sampleRecords(
      "grant",
      [0, 20].map((s) => sampleReading(s)),
    ),
  ),
);
const seal = sealBill(bill, "server-1", key);

test("a seal holds for its bill", () => {
  expect(checkSeal(bill, seal, keys)).toMatchObject({ ok: true, payload: { iss: "server-1" } });
  expect(checkSeal(JSON.parse(JSON.stringify(bill)), seal, keys)).toMatchObject({ ok: true });
});

test("a seal holds for no other bill, and under no other key", () => {
  const otherId = { ...bill, billId: "bill_01k1111111111111111111" } as const;
  const cheaper = { ...bill, totalMicros: "10000" };
  expect(checkSeal(otherId, seal, keys)).toMatchObject({ ok: false, code: "other-bill" });
  expect(checkSeal(cheaper, seal, keys)).toMatchObject({ ok: false, code: "other-document" });
  const others = keyRing([generateKey().publicJwk]);
  expect(checkSeal(bill, seal, others)).toMatchObject({ ok: false, code: "unknown-key" });
});
