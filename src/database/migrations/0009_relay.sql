-- The way in through the relay.

-- Permission to open one connection to one lease's guest, for whoever has this key. Only its hash
-- is kept. Rows go a while after their end: until then a ticket's second use is refused by name.
create table relay_ticket (
  ticket_sha256 bytea primary key check (length(ticket_sha256) = 32),
  lease_id text not null references lease,
  key_id text not null references api_key,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  check (expires_at > created_at)
);
create index relay_ticket_expiry on relay_ticket (expires_at);
