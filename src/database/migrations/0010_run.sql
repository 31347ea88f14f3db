-- Processing as a thing of its own: what a client runs, in which leases, and what it left behind.

create table run (
  run_id text primary key check (run_id like 'run\_%'),
  client_party_id text not null references party,
  -- `attached`: the client's command line waits; `detached`: the work goes on without it;
  -- `parallel`: the client's command line hands a list of inputs to several leases.
  kind text not null check (kind in ('attached', 'detached', 'parallel')),
  command text not null check (length(command) <= 4096),
  created_at timestamptz not null,
  cancelled_at timestamptz,
  -- Told by a client that waited; of a detached run it is its lease's.
  exit_code integer check (exit_code between 0 and 255),
  finished_at timestamptz,
  check ((exit_code is null) = (finished_at is null))
);
create index run_of_client on run (client_party_id, run_id);

create table run_lease (
  lease_id text primary key references lease,
  run_id text not null references run,
  -- Room of the lease's own disk for what the guest leaves behind, and the client's key to which the
  -- host encrypts it. None: nothing is kept.
  outbox_bytes bigint check (outbox_bytes > 0),
  seal_key text,
  -- As the guest told its host.
  started_at timestamptz,
  exited_at timestamptz,
  exit_code integer check (exit_code between 0 and 255),
  -- What is kept of it at the server, until when, and why there is nothing any more.
  outputs_digest text,
  outputs_bytes bigint,
  outputs_until timestamptz,
  outputs_gone text,
  check ((outbox_bytes is null) = (seal_key is null)),
  check ((exited_at is null) = (exit_code is null)),
  check ((outputs_digest is null) = (outputs_bytes is null)),
  check ((outputs_digest is null) = (outputs_until is null)),
  check (outputs_digest is null or outbox_bytes is not null)
);
create index run_lease_of_run on run_lease (run_id);
create index run_lease_kept on run_lease (outputs_until) where outputs_digest is not null and outputs_gone is null;
