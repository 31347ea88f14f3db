import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { remoteCommand, scpArguments, sshArguments } from "../../src/cli/ssh/arguments.ts";
import { accessOf, id } from "./shapes.ts";

const leaseId = id("lease");
const target = {
  leaseId,
  access: accessOf(leaseId),
  identityFile: "/con%fig/ssh/default/id_ed25519",
  knownHostsFile: "/config folder/leases/known_hosts",
};

describe("ssh", () => {
  const args = sshArguments(target, ["uname", "-a"], "never");

  test("pins the guest's key and takes nothing from the person's own configuration", () => {
    expect(args.slice(0, 2)).toEqual(["-F", "/dev/null"]);
    for (const option of [
      "StrictHostKeyChecking=yes",
      'IdentityFile="/con%%fig/ssh/default/id_ed25519"',
      'UserKnownHostsFile="/config folder/leases/known_hosts"',
      "GlobalKnownHostsFile=/dev/null",
      `HostKeyAlias=${leaseId}`,
      "IdentitiesOnly=yes",
      "IdentityAgent=none",
      "PreferredAuthentications=publickey",
    ]) {
      expect(args[args.indexOf(option) - 1]).toBe("-o");
    }
  });

  test("goes to the address and port of the access", () => {
    expect(args).toEqual(expect.arrayContaining(["HostName=127.0.0.1", "Port=2222", "User=root"]));
    expect(args.slice(-4)).toEqual(["-T", "--", leaseId, "uname -a"]);
  });

  test("is understood by OpenSSH as meant", () => {
    const told = spawnSync("ssh", ["-G", ...args], { encoding: "utf8" });
    expect(told.status).toBe(0);
    const lines = told.stdout.split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        "hostname 127.0.0.1",
        "port 2222",
        "user root",
        `hostkeyalias ${leaseId}`,
        "stricthostkeychecking true",
        "userknownhostsfile /config folder/leases/known_hosts",
        "globalknownhostsfile /dev/null",
        "identityagent none",
        "identitiesonly yes",
        "identityfile /con%%fig/ssh/default/id_ed25519",
        "preferredauthentications publickey",
      ]),
    );
  });
});

describe("a command's arguments", () => {
  test.each([
    [["uname", "-a"], "uname -a"],
    [["echo", "a  b"], "echo 'a  b'"],
    [["echo", "it's", "$HOME", ""], "echo 'it'\\''s' '$HOME' ''"],
    [["ls | wc -l"], "ls | wc -l"],
  ])("%j are sent as %j", (command, sent) => {
    expect(remoteCommand(command)).toBe(sent);
  });

  test("arrive in a shell as they were typed", () => {
    const words = ["a b", "'", '"', "\\", "$(id)", "*", "", "ü\n", "-n", "~"];
    const ran = spawnSync("sh", ["-c", remoteCommand(["printf", "%s\\0", ...words])]);
    expect(ran.stdout.toString().split("\0").slice(0, -1)).toEqual(words);
  });
});

describe("scp", () => {
  test.each([
    [{ leaseId: null, path: "a.txt" }, { leaseId, path: "/srv/" }, ["a.txt", `${leaseId}:/srv/`]],
    [{ leaseId, path: "x" }, { leaseId: null, path: "a:b" }, [`${leaseId}:x`, "./a:b"]],
    [{ leaseId: null, path: "-r" }, { leaseId, path: "" }, ["-r", `${leaseId}:`]],
  ])("%j to %j", (from, to, written) => {
    const args = scpArguments(target, from, to, false);
    expect(args.slice(-3)).toEqual(["--", ...written]);
  });

  test("takes folders when told to", () => {
    const here = { leaseId: null, path: "x" };
    expect(scpArguments(target, here, { leaseId, path: "y" }, true)).toContain("-r");
  });
});
