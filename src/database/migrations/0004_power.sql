-- What a client wants of its guest's power, and the guest's console.

-- Each wish has a number; the host says up to which it has done them. `restart` is off, then on.
alter table lease
  add column power_state text not null default 'on' check (power_state in ('on', 'off', 'restart')),
  add column power_generation integer not null default 0 check (power_generation >= 0),
  add column power_done_generation integer not null default 0,
  -- The order as the host verifies it: signed.
  add column power_jws text,
  add constraint lease_power_done check (power_done_generation between 0 and power_generation),
  add constraint lease_power_signed check ((power_generation > 0) = (power_jws is not null));

-- A question to a host and its answer, kept for the minute in which somebody waits for it: the
-- server that is asked and the one that the host's agent talks to may be two.
create table console_request (
  console_request_id text primary key check (console_request_id like 'console\_%'),
  lease_id text not null references lease,
  host_id text not null references host,
  requested_at timestamptz not null,
  answered_at timestamptz,
  content bytea,
  check ((answered_at is null) = (content is null)),
  check (length(content) <= 65536)
);
create index console_request_pending on console_request (host_id) where answered_at is null;
