import { GUEST_LINK, namespacePath } from "./name.ts";

/** The descriptor on which QEMU finds the guest's second card. */
export const CARD_FD = 3;

/**
 * Goes before the command that becomes QEMU, while it is still root's: opens the card in the
 * guest's namespace, comes back, and leaves the card open as descriptor 3. So QEMU gets a card and
 * neither the right nor the device to make another. Perl, since a shell has no ioctl and no setns.
 */
export function attachCommand(name: string): string[] {
  const setns = process.arch === "arm64" ? 268 : 308;
  return ["/usr/bin/perl", "-e", ATTACH, `${setns}`, namespacePath(name), GUEST_LINK];
}

/**
 * 0x40000000 is CLONE_NEWNET; 0x400454ca is TUNSETIFF, with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR in
 * a struct ifreq of 40 bytes.
 */
const ATTACH = `
use strict; use POSIX ();
my ($setns, $path, $link) = splice @ARGV, 0, 3;
open(my $home, "<", "/proc/self/ns/net") or die "own namespace: $!";
open(my $there, "<", $path) or die "$path: $!";
syscall($setns + 0, fileno($there), 0x40000000) == 0 or die "$path: $!";
open(my $card, "+<", "/dev/net/tun") or die "/dev/net/tun: $!";
ioctl($card, 0x400454ca, my $request = pack("a16 s x22", $link, 0x5002)) or die "$link: $!";
syscall($setns + 0, fileno($home), 0x40000000) == 0 or die "own namespace: $!";
defined(POSIX::dup2(fileno($card), ${CARD_FD})) or die "card: $!";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!";
`;
