-- Who may use Velerian, as whom, for which tenant. Scopes by spaces.
CREATE TABLE velerian_keys (
  id               {id},
  tenant           TEXT NOT NULL,
  name             TEXT NOT NULL,
  user_id          TEXT NOT NULL,
  hint             TEXT NOT NULL,
  digest           {bytes} NOT NULL UNIQUE,
  scopes           TEXT NOT NULL,
  rate_per_minute  {int64},
  created_at       {int64} NOT NULL,
  expires_at       {int64},
  last_used_at     {int64},
  revoked_at       {int64}
);

CREATE INDEX velerian_keys_of_tenant ON velerian_keys (tenant, id);

-- A governed process, with the policy that its invocations are judged by.
CREATE TABLE velerian_abps (
  id          {id},
  tenant      TEXT NOT NULL,
  abp_id      TEXT NOT NULL,
  name        TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('draft', 'deployed', 'retired')),
  policy      TEXT NOT NULL,
  created_at  {int64} NOT NULL,
  updated_at  {int64} NOT NULL,
  UNIQUE (tenant, abp_id)
);

CREATE TABLE velerian_invocations (
  id             {id},
  tenant         TEXT NOT NULL,
  invocation_id  TEXT NOT NULL UNIQUE,
  abp_id         TEXT NOT NULL,
  user_id        TEXT NOT NULL,
  payload        TEXT NOT NULL,
  outcome        TEXT NOT NULL,
  verdict        TEXT NOT NULL,
  output         TEXT,
  model_error    TEXT,
  pack_id        TEXT,
  created_at     {int64} NOT NULL,
  finished_at    {int64}
);

CREATE INDEX velerian_invocations_of_abp ON velerian_invocations (tenant, abp_id, id);

-- What waits for a person, and what was decided.
CREATE TABLE velerian_approvals (
  id             {id},
  tenant         TEXT NOT NULL,
  approval_id    TEXT NOT NULL UNIQUE,
  invocation_id  TEXT NOT NULL REFERENCES velerian_invocations (invocation_id),
  state          TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected')),
  reason         TEXT NOT NULL,
  decided_by     TEXT,
  decision       TEXT,
  created_at     {int64} NOT NULL,
  decided_at     {int64}
);

CREATE INDEX velerian_approvals_of_tenant ON velerian_approvals (tenant, state, id);

CREATE TABLE velerian_networks (
  id          {id},
  tenant      TEXT NOT NULL,
  slug        TEXT NOT NULL,
  name        TEXT NOT NULL,
  model_id    TEXT NOT NULL,
  policy      TEXT NOT NULL,
  created_at  {int64} NOT NULL,
  UNIQUE (tenant, slug)
);

-- Runs are claimed by a worker; a claim that ends unnoticed is free again.
CREATE TABLE velerian_runs (
  id                  {id},
  tenant              TEXT NOT NULL,
  run_id              TEXT NOT NULL UNIQUE,
  network             TEXT NOT NULL,
  user_id             TEXT NOT NULL,
  prompt_text         TEXT NOT NULL,
  metadata            TEXT,
  attachment_ids      TEXT,
  model_id            TEXT NOT NULL,
  status              TEXT NOT NULL
    CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'blocked')),
  output_text         TEXT,
  governance_pass     {int64},
  governance_reasons  TEXT,
  error               TEXT,
  pack_id             TEXT,
  attempts            {int64} NOT NULL,
  claimed_until       {int64},
  created_at          {int64} NOT NULL,
  started_at          {int64},
  finished_at         {int64}
);

CREATE INDEX velerian_runs_of_tenant ON velerian_runs (tenant, id);

CREATE INDEX velerian_runs_waiting ON velerian_runs (id) WHERE status IN ('queued', 'running');

-- Evidence: each pack holds the hash of the one before it, over all of a tenant's.
CREATE TABLE velerian_packs (
  id           {id},
  tenant       TEXT NOT NULL,
  sequence     {int64} NOT NULL,
  pack_id      TEXT NOT NULL UNIQUE,
  abp_id       TEXT,
  subject_id   TEXT NOT NULL,
  body         TEXT NOT NULL,
  body_hash    TEXT NOT NULL,
  chain_hash   TEXT NOT NULL,
  created_at   {int64} NOT NULL,
  UNIQUE (tenant, sequence)
);

CREATE INDEX velerian_packs_of_subject ON velerian_packs (tenant, subject_id, sequence);
CREATE INDEX velerian_packs_of_abp ON velerian_packs (tenant, abp_id, created_at, sequence);

CREATE TABLE velerian_exports (
  id              {id},
  tenant          TEXT NOT NULL,
  export_id       TEXT NOT NULL UNIQUE,
  artifact_kind   TEXT NOT NULL,
  format          TEXT NOT NULL,
  abp_id          TEXT NOT NULL,
  first_sequence  {int64} NOT NULL,
  last_sequence   {int64} NOT NULL,
  created_at      {int64} NOT NULL,
  expires_at      {int64} NOT NULL
);

-- The audit log: only added to; each entry holds the hash of the one before it. Sequences have no gaps.
CREATE TABLE velerian_audit (
  id             {id},
  tenant         TEXT NOT NULL,
  sequence       {int64} NOT NULL,
  at             {int64} NOT NULL,
  actor_user_id  TEXT NOT NULL,
  action         TEXT NOT NULL,
  resource_kind  TEXT NOT NULL,
  resource_id    TEXT NOT NULL,
  detail         TEXT NOT NULL,
  chain_hash     TEXT NOT NULL,
  UNIQUE (tenant, sequence)
);

CREATE INDEX velerian_audit_of_action ON velerian_audit (tenant, action, sequence);
CREATE INDEX velerian_audit_of_resource ON velerian_audit (tenant, resource_kind, resource_id, sequence);
CREATE INDEX velerian_audit_of_actor ON velerian_audit (tenant, actor_user_id, sequence);
CREATE INDEX velerian_audit_of_time ON velerian_audit (tenant, at, sequence);
