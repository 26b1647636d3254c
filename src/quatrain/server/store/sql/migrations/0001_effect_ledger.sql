-- {id}: a growing row number; {int64}: 64 bits; {bytes}: raw bytes. Times are milliseconds since 1970.

-- A tenant's test data and its live data are two realms; nothing crosses from one to another.
CREATE TABLE realms (
  id       {id},
  tenant   TEXT NOT NULL,
  mode     TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  UNIQUE (tenant, mode)
);

CREATE TABLE api_keys (
  id            {id},
  realm_id      {int64} NOT NULL REFERENCES realms (id),
  name          TEXT NOT NULL,
  hint          TEXT NOT NULL,
  digest        {bytes} NOT NULL UNIQUE,
  scopes        TEXT NOT NULL,
  created_at    {int64} NOT NULL,
  last_used_at  {int64},
  revoked_at    {int64}
);

CREATE TABLE effects (
  id                 {id},
  realm_id           {int64} NOT NULL REFERENCES realms (id),
  namespace          TEXT NOT NULL,
  effect_key         TEXT NOT NULL,
  effect_name        TEXT,
  status             TEXT NOT NULL CHECK (status IN ('RUNNING', 'COMMITTED', 'FAILED', 'RESET')),
  fence_token        {int64} NOT NULL,
  lease_token_hash   {bytes} NOT NULL,
  lease_duration_ms  {int64} NOT NULL,
  lease_expires_at   {int64},
  prior_expires_at   {int64},
  agent_id           TEXT,
  workflow_name      TEXT,
  case_id            TEXT,
  run_id             TEXT,
  source             TEXT,
  input_json         TEXT,
  result             TEXT,
  error              TEXT,
  created_at         {int64} NOT NULL,
  updated_at         {int64} NOT NULL,
  CHECK ((lease_expires_at IS NOT NULL) = (status = 'RUNNING')),
  UNIQUE (realm_id, namespace, effect_key)
);

CREATE INDEX effects_newest ON effects (realm_id, id);

CREATE INDEX effects_failed ON effects (realm_id, id) WHERE status = 'FAILED';

CREATE INDEX effects_of_case ON effects (realm_id, case_id, id) WHERE case_id IS NOT NULL;

-- The audit trail: written in the transaction of the change it tells of, never changed, never deleted.
CREATE TABLE effect_events (
  seq          {id},
  effect_id    {int64} NOT NULL REFERENCES effects (id),
  type         TEXT NOT NULL,
  at           {int64} NOT NULL,
  fence_token  {int64} NOT NULL,
  agent_id     TEXT,
  run_id       TEXT,
  detail       TEXT
);

CREATE INDEX effect_events_of_effect ON effect_events (effect_id, seq);

-- One row that a health check rewrites: the only proof that a lease could be written.
CREATE TABLE heartbeat (
  id  {int64} PRIMARY KEY CHECK (id = 1),
  at  {int64} NOT NULL
);

INSERT INTO heartbeat (id, at) VALUES (1, 0);
