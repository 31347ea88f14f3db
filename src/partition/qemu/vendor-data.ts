/**
 * A guest whose memory or cpus grow is to use them; Debian's kernels, for one, leave memory off
 * line. Memory that comes on line as movable can be taken out again. `bootcmd` runs at every boot
 * before the first login, and a file that is there already stays as it is.
 */
const HOT_PLUG_RULES = [
  'SUBSYSTEM=="cpu", ACTION=="add", TEST=="online", ATTR{online}=="0", ATTR{online}="1"',
  'SUBSYSTEM=="memory", ACTION=="add", ATTR{state}=="offline", ATTR{state}="online_movable"',
];
const RULES_PATH = "/etc/udev/rules.d/80-sublet-hot-plug.rules";
/** For images without a program of their own that keeps the list of resolvers. */
const RESOLVERS_PATH = "/etc/resolv.conf";

/** For cloud-init, beside what is the lease's own; `resolvers` of a guest with the internet. */
export function vendorData(resolvers: readonly string[] | null = null) {
  const listed = (resolvers ?? []).map((address) => `nameserver ${address}`);
  return {
    bootcmd: [
      ...(resolvers === null
        ? []
        : [
            [
              "sh",
              "-c",
              `grep -qs '^nameserver' ${RESOLVERS_PATH} || printf '%s\\n' "$@" > ${RESOLVERS_PATH}`,
              "sublet",
              ...listed,
            ],
          ]),
      [
        "sh",
        "-c",
        `[ -e ${RULES_PATH} ] || printf '%s\\n' "$@" > ${RULES_PATH}`,
        "sublet",
        ...HOT_PLUG_RULES,
      ],
      ["sh", "-c", "udevadm control --reload || true"],
    ],
  };
}
