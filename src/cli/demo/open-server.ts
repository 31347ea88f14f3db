import { createClient } from "../../api/client/client.ts";
import type { Response } from "../../api/contract/contract.ts";
import type { Play, Timed } from "./story.ts";

export interface OpenedServer {
  readonly serverId: string;
  /** A party with this name and role, that is logged in under its name. */
  letIn(name: string, role: "lender" | "client" | "provider"): Promise<void>;
  /** Puts an operating system on the file server. */
  addImage(name: string, folder: string): Promise<void>;
}

/** The server, with its operator logged in. */
export async function openServer(play: Play, timed: Timed): Promise<OpenedServer> {
  const { stage, teller } = play;
  const { verbs } = stage;
  teller.say("A management server starts, with a database of its own.");
  const { url, operatorKey } = await timed("server", "it starts", stage.startServer());
  const login = (key: string, as: string) => verbs.do("login", url, "--key", key, "--as", as);
  await login(operatorKey, "operator");
  const { serverId } = await createClient({ url }).call("describeServer");
  return {
    serverId,
    letIn: async (name, role) => {
      const add = ["party", "add", name, "--role", role, "--as", "operator"];
      teller.command(add);
      const { key } = await verbs.do<Response<"addParty">>(...add);
      await login(key, name);
    },
    addImage: async (name, folder) => {
      const add = ["image", "add", folder, "--as", "operator"];
      teller.command(add.with(2, name));
      await timed(`${name}Upload`, "uploading", verbs.do(...add));
    },
  };
}
