import { expect, test } from "vitest";
import { checkMailAddress, checkWebhookUrl, isPrivateAddress } from "./address.ts";

test.each([
  ...["127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "100.64.0.1", "169.254.169.254"],
  ...["172.16.0.1", "172.31.255.255", "192.168.1.1", "224.0.0.1", "255.255.255.255"],
  ...["::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1"],
  ...["::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "nonsense"],
])("%s is no public address", (address) => {
  expect(isPrivateAddress(address)).toBe(true);
});

test.each(["8.8.8.8", "172.32.0.1", "100.128.0.1", "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])(
  "%s is a public address",
  (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  },
);

test.each([
  ["http://example.org/hook", "https"],
  ["https://127.0.0.1/hook", "private"],
  ["https://[::1]/hook", "private"],
  // What a URL makes of it is what counts.
  ["https://2130706433/hook", "private"],
  ["https://0x7f.1/hook", "private"],
  ["https://localhost/hook", "private"],
  ["https://metadata.localhost./hook", "private"],
  ["https://user:secret@example.org/", "password"],
  ["https://example.org/#part", "fragment"],
  ["ftp://example.org/", "web server"],
  ["file:///etc/passwd", "web server"],
  ["example.org", "web server"],
  [`https://example.org/${"a".repeat(2000)}`, "web server"],
])("a webhook is not sent to %s", (url, why) => {
  expect(checkWebhookUrl(url, false)).toMatchObject({
    ok: false,
    reason: expect.stringContaining(why),
  });
});

test("closed networks are the operator's word", () => {
  expect(checkWebhookUrl("http://127.0.0.1:8080/hook", true)).toMatchObject({ ok: true });
  expect(checkWebhookUrl("https://example.org/hook?a=b", false)).toEqual({
    ok: true,
    address: "https://example.org/hook?a=b",
  });
});

test.each([
  ...["a@b.example", "bills+2026@mail.example.org", "o'hara@example.org", "root@localhost"],
])("%s is a mail address", (address) => {
  expect(checkMailAddress(address)).toEqual({ ok: true, address });
});

test.each([
  ...["", "a", "a@", "@b", "a@b\r\nBcc: c@d", "a@b\n", "a b@c.example", "A <a@b.example>"],
  ...["a@b.example,c@d.example", "a@b.example;c", "a@@b", ".a@b.example", "a..b@c.example"],
  ...['"a"@b.example', "a@-b.example", "a@b_c.example", `${"a".repeat(65)}@b.example`],
  ...[`a@${"b".repeat(64)}.example`, "ä@b.example", "a@[127.0.0.1]"],
])("%j is no mail address", (address) => {
  expect(checkMailAddress(address)).toMatchObject({ ok: false });
});
