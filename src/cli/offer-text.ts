import type { Response } from "../api/contract/contract.ts";
import { formatMoneyMicros } from "../unit/money.ts";
import { formatDurationSeconds } from "../unit/quantity.ts";
import { formatWindow } from "../unit/week.ts";
import type { Context } from "./context.ts";
import { formatPercent } from "./option/percent.ts";
import { facts, table } from "./output/table.ts";
import { placeText, sizeText } from "./output/words.ts";

type OfferView = Response<"setOffer">;

export function offerTable(context: Context, offers: readonly OfferView[]): string {
  const rows = offers.map((offer) => [
    placeText(offer),
    ...pricesOf(offer),
    leaseRange(offer),
    whenText(offer),
    whoText(offer),
    extrasText(offer),
    offer.offerId,
  ]);
  const headings = [
    ...["PARTITION", "CORE/H", "SHARED CORE/H", "GIB/H", "DISK GIB/H", "FLAT/H"],
    ...["LEASE", "WHEN", "WHO", "WITH", "ID"],
  ];
  return table(context, headings, rows);
}

export function offerText(offer: OfferView): string {
  const [core = "", shared = "", memory = "", disk = "", flat = ""] = pricesOf(offer);
  const { currency } = offer.tariff;
  const { carve } = offer;
  return facts([
    ["offer", offer.offerId],
    ["partition", placeText(offer)],
    ...(carve
      ? [["at most", `${sizeText(carve.max)} at once, ${carve.cpuMode} cpu`] as const]
      : []),
    ["per core and hour", `${core} ${currency}`],
    ["per shared core and hour used", `${shared} ${currency}`],
    ["per GiB of memory and hour", `${memory} ${currency}`],
    ["per GiB of disk and hour", `${disk} ${currency}`],
    ["per hour", `${flat} ${currency}`],
    ["operator's fee", `${formatPercent(offer.tariff.operatorFeePpm)} of what it earns`],
    ["lease", leaseRange(offer)],
    ["when", whenText(offer)],
    ["who", whoText(offer)],
    ["labels", labelsText(offer) || "-"],
    ["internet", offer.internet ? "yes" : "no"],
  ]);
}

function pricesOf({ tariff }: OfferView): string[] {
  return [
    tariff.priceMicrosPerCoreHour,
    tariff.priceMicrosPerSharedCoreHour ?? "0",
    tariff.priceMicrosPerMemoryGibHour,
    tariff.priceMicrosPerDiskGibHour,
    tariff.priceMicrosPerHour,
  ].map((micros) => formatMoneyMicros(BigInt(micros)));
}

function leaseRange({ leaseSecondsMin, leaseSecondsMax }: OfferView): string {
  return `${formatDurationSeconds(leaseSecondsMin)} to ${formatDurationSeconds(leaseSecondsMax)}`;
}

function whenText({ windows, timeZone }: OfferView): string {
  return windows.length === 0 ? "always" : `${windows.map(formatWindow).join(", ")} ${timeZone}`;
}

function whoText({ borrowers: { who, parties } }: OfferView): string {
  const names = parties.map(({ name }) => name).join(", ");
  return who === "everyone" ? "everyone" : `${who} ${names}`;
}

function labelsText({ labels }: OfferView): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}

function extrasText(offer: OfferView): string {
  const extras = [labelsText(offer), offer.internet ? "internet" : ""].filter(Boolean);
  return extras.join(", ") || "-";
}
