import { GUEST_LINK, LINK_PREFIX, UP_LINK } from "./name.ts";

/**
 * Both run under one lock, by bash with `-eu`: the first command that fails ends them, and the next
 * call goes on. Their arguments are names that are made here or come from the kernel, and rules.
 */

/** Where the agents of a computer keep their lock, and which uplinks forward because of them. */
export const SHARED_FOLDER = "/run/sublet-internet";

/**
 * An uplink's mark is made before its forwarding is turned on. It is a file, since a firewall's
 * restart takes rules away and forwarding not. One folder for each of the kernel's networks.
 */
const MARKS = `${SHARED_FOLDER}/$(stat -Lc %i /proc/self/ns/net)`;

/**
 * Arguments: name, rules inside, rules outside, rules of forwarding, router's address, uplinks.
 * A namespace that cannot be entered is what a crash left of one. Links are born down. The pair's
 * two addresses follow from the number that the kernel gave the host's end, so no two pairs of a
 * computer have the same; 198.18.0.0/15 is for benchmarks and routed nowhere.
 */
export const LAY = `
name=$1 inside=$2 outside=$3 forwarding=$4 router=$5; shift 5
enter() { nsenter --net="/run/netns/$name" -- "$@"; }
sysctls() { for file in $1; do [ ! -e "$file" ] || echo "$2" >"$file"; done; }
if ! enter true 2>/dev/null; then
  ip netns delete "$name" 2>/dev/null || rm -f "/run/netns/$name"
  ip netns add "$name"
fi
enter nft -f - <<<"$inside"
enter /bin/bash -euc "$(declare -f sysctls)"'
  sysctls "/proc/sys/net/ipv6/conf/*/disable_ipv6" 1
  sysctls "/proc/sys/net/ipv4/conf/*/arp_ignore" 1
  echo 1 >/proc/sys/net/ipv4/ip_forward'
if ! ip link show dev "$name" >/dev/null 2>&1; then
  enter ip link delete ${UP_LINK} 2>/dev/null || true
  ip link add "$name" type veth peer name ${UP_LINK} netns "$name"
fi
number=$(ip -o link show dev "$name"); number=$((\${number%%:*} % 65536))
rest=$((number % 128 * 2)); start=198.$((18 + number / 32768)).$((number / 128 % 256))
host=$start.$rest; peer=$start.$((rest + 1))
if ip -4 -o address show to "$host/31" | grep -qv " $name "; then
  ip link delete "$name"
  echo "the addresses $host/31 are taken on this computer; it is tried again with others" >&2
  exit 1
fi
nft -D peer="$peer" -f - <<<"$outside"
sysctls "/proc/sys/net/ipv6/conf/$name/disable_ipv6" 1
ip address replace "$host/31" dev "$name"
ip link set "$name" up
enter ip address replace "$peer/31" dev ${UP_LINK}
enter ip link set ${UP_LINK} up
enter ip route replace default via "$host"
if ! enter ip link show dev ${GUEST_LINK} >/dev/null 2>&1; then
  enter ip tuntap add dev ${GUEST_LINK} mode tap vnet_hdr
fi
enter ip address replace "$router/24" dev ${GUEST_LINK}
enter ip link set ${GUEST_LINK} up
echo 1 >"/proc/sys/net/ipv4/conf/$name/forwarding"
marks=${MARKS}
for uplink in "$@"; do
  file=/proc/sys/net/ipv4/conf/$uplink/forwarding
  if [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]; then
    rm -f "$marks/$uplink"
    nft delete element inet ${LINK_PREFIX}_forwarding uplinks "{ \\"$uplink\\" }" 2>/dev/null || true
  elif [ "$(cat "$file")" = 0 ]; then
    mkdir -p "$marks"
    touch "$marks/$uplink"
  fi
  [ -e "$marks/$uplink" ] || continue
  nft -f - <<<"$forwarding"
  nft add element inet ${LINK_PREFIX}_forwarding uplinks "{ \\"$uplink\\" }"
  [ "$(cat "$file")" = 0 ] || continue
  echo 1 >"$file"
  echo "$uplink now forwards packets, from and to guests alone"
done
`;

/**
 * Argument: name. With the last guest goes the forwarding of the uplinks, where it was turned on
 * here and nobody has turned on all forwarding since.
 */
export const REMOVE = `
name=$1
ip link delete "$name" 2>/dev/null || true
nft delete table inet "$name" 2>/dev/null || true
marks=${MARKS}
if ! ip -o link show type veth | grep -q ": ${LINK_PREFIX}[0-9a-f]*@"; then
  for mark in "$marks"/*; do
    [ -e "$mark" ] || continue
    file=/proc/sys/net/ipv4/conf/\${mark##*/}/forwarding
    [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || [ ! -e "$file" ] || echo 0 >"$file"
    rm -f "$mark"
  done
  rm -rf "$marks"
  nft delete table inet ${LINK_PREFIX}_forwarding 2>/dev/null || true
fi
! ip link show dev "$name" >/dev/null 2>&1
! nft list table inet "$name" >/dev/null 2>&1
ip netns delete "$name" 2>/dev/null || rm -f "/run/netns/$name"
`;
