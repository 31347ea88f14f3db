import type { Client } from "../../api/client/client.ts";
import { oneLine } from "../plain-text.ts";

/** What can be named on a command line and is on the server. */
export type Kind =
  | ("lease" | "bill" | "offer" | "run" | "request" | "code")
  | ("host" | "partition" | "party" | "os");

/** What this caller may see of a kind: by id, or by name, or by both. */
export interface Known {
  readonly id?: string;
  readonly name?: string;
  /** For a list of choices. */
  readonly about: string;
}

/** A page holds so many; beyond the last page nobody looks for a typing mistake. */
const PAGE = 200;
const PAGES_MAX = 25;

/** Each list is the server's own answer to this caller: nobody learns of what is not theirs. */
const LISTS: Readonly<Record<Kind, (client: Client) => Promise<readonly Known[]>>> = {
  lease: (client) =>
    paged(async (page) => {
      const query = { state: "all" as const, ...page };
      const { leases, nextCursor } = await client.call("listLeases", { query });
      const items = leases.map(({ leaseId, state, host, partition }) => ({
        id: leaseId,
        about: `${state}, ${host.name}/${partition.name}`,
      }));
      return { items, nextCursor };
    }),
  bill: (client) =>
    paged(async (page) => {
      const { bills, nextCursor } = await client.call("listBills", { query: page });
      const items = bills.map(({ billId, host, client: { name } }) => ({
        id: billId,
        about: `${name} at ${host.name}`,
      }));
      return { items, nextCursor };
    }),
  run: (client) =>
    paged(async (page) => {
      const { runs, nextCursor } = await client.call("listRuns", { query: page });
      const items = runs.map(({ runId, state, command }) => ({
        id: runId,
        about: `${state}, ${oneLine(command)}`,
      }));
      return { items, nextCursor };
    }),
  offer: async (client) => {
    const { offers } = await client.call("listOffers");
    return offers.map(({ offerId, host, partition }) => ({
      id: offerId,
      about: partition ? `${host.name}/${partition.name}` : host.name,
    }));
  },
  /** Open ones can be issued; only a provider is told. */
  request: async (client) => {
    const { requests } = await client.call("listCapacityRequests");
    return requests.map(({ requestId, host, customer, state }) => ({
      id: requestId,
      about: `${state}, ${customer.name} for ${host.name}`,
    }));
  },
  /** Of one's own hosts. */
  code: async (client) => {
    const { codes } = await client.call("listOwnCapacity");
    return codes.map(({ codeId, host, provider }) => ({
      id: codeId,
      about: `${provider.name} for ${host.name}`,
    }));
  },
  host: async (client) => {
    const { hosts } = await client.call("listHosts");
    return hosts.map(({ hostId, name, state }) => ({ id: hostId, name, about: state }));
  },
  partition: async (client) => {
    const { partitions } = await client.call("listPartitions");
    return partitions.map(({ host, name }) => ({ name: `${host.name}/${name}`, about: host.name }));
  },
  party: async (client) => {
    const { parties } = await client.call("listParties");
    return parties.map(({ partyId, name, roles }) => ({
      ...{ id: partyId, name },
      about: roles.join(", "),
    }));
  },
  os: async (client) => {
    const { images } = await client.call("listImages");
    const names = new Set(images.map(({ manifest }) => manifest.name));
    return [...names].map((name) => ({ name, about: "operating system" }));
  },
};

export function listKnown(client: Client, kind: Kind): Promise<readonly Known[]> {
  return LISTS[kind](client);
}

interface Page {
  readonly items: readonly Known[];
  readonly nextCursor: string | null;
}

async function paged(
  ask: (page: { limit: number; cursor?: string }) => Promise<Page>,
): Promise<Known[]> {
  const all: Known[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page: Page = await ask({ limit: PAGE, ...(cursor === null ? {} : { cursor }) });
    all.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === null) break;
  }
  return all;
}
