-- Facts about the database itself; 'seed' says what it was first filled with.
CREATE TABLE facts (
  name   TEXT PRIMARY KEY,
  value  TEXT NOT NULL
);

-- A founder's business. Each tenant is one.
CREATE TABLE velocity_accounts (
  id          {id},
  tenant      TEXT NOT NULL UNIQUE,
  email       TEXT NOT NULL,
  name        TEXT NOT NULL,
  tier        TEXT NOT NULL,
  venture_id  TEXT NOT NULL,
  profile     TEXT NOT NULL,
  created_at  {int64} NOT NULL
);

CREATE TABLE velocity_modules (
  id            {id},
  account_id    {int64} NOT NULL REFERENCES velocity_accounts (id),
  code          TEXT NOT NULL,
  status        TEXT NOT NULL,
  output        TEXT,
  completed_at  {int64},
  UNIQUE (account_id, code)
);

CREATE TABLE velocity_offers (
  id          {id},
  account_id  {int64} NOT NULL REFERENCES velocity_accounts (id),
  offer_id    TEXT NOT NULL,
  name        TEXT NOT NULL,
  status      TEXT NOT NULL,
  c3_output   TEXT,
  created_at  {int64} NOT NULL,
  updated_at  {int64} NOT NULL,
  UNIQUE (account_id, offer_id)
);

CREATE TABLE velocity_team (
  id          {id},
  account_id  {int64} NOT NULL REFERENCES velocity_accounts (id),
  name        TEXT NOT NULL,
  role        TEXT NOT NULL,
  email       TEXT NOT NULL,
  created_at  {int64} NOT NULL
);

CREATE INDEX velocity_team_of_account ON velocity_team (account_id, id);

CREATE TABLE velocity_partnerships (
  id          {id},
  account_id  {int64} NOT NULL REFERENCES velocity_accounts (id),
  name        TEXT NOT NULL,
  type        TEXT NOT NULL,
  contact     TEXT NOT NULL
);

CREATE INDEX velocity_partnerships_of_account ON velocity_partnerships (account_id, id);

CREATE TABLE velocity_tasks (
  id             {id},
  account_id     {int64} NOT NULL REFERENCES velocity_accounts (id),
  module_source  TEXT NOT NULL,
  action         TEXT NOT NULL,
  category       TEXT,
  timeframe      TEXT,
  quadrant       TEXT,
  assignee       TEXT,
  deadline       TEXT,
  created_at     {int64} NOT NULL,
  updated_at     {int64} NOT NULL,
  completed_at   {int64}
);

CREATE INDEX velocity_tasks_of_account ON velocity_tasks (account_id, id);

CREATE TABLE velocity_programs (
  id           {id},
  account_id   {int64} NOT NULL REFERENCES velocity_accounts (id),
  name         TEXT NOT NULL,
  description  TEXT NOT NULL,
  status       TEXT NOT NULL,
  created_at   {int64} NOT NULL
);

CREATE INDEX velocity_programs_of_account ON velocity_programs (account_id, id);

-- An extension as its developer registered it, and as a founder's account knows it.
CREATE TABLE velocity_extensions (
  id          {id},
  account_id  {int64} NOT NULL REFERENCES velocity_accounts (id),
  slug        TEXT NOT NULL,
  name        TEXT NOT NULL,
  developer   TEXT NOT NULL,
  created_at  {int64} NOT NULL,
  UNIQUE (account_id, slug)
);

-- An install is a key: one founder let one extension do what its scopes say.
CREATE TABLE velocity_installs (
  id            {id},
  extension_id  {int64} NOT NULL REFERENCES velocity_extensions (id),
  hint          TEXT NOT NULL,
  digest        {bytes} NOT NULL UNIQUE,
  scopes        TEXT NOT NULL,
  sandbox       {int64} NOT NULL,
  created_at    {int64} NOT NULL,
  last_used_at  {int64},
  revoked_at    {int64}
);

CREATE INDEX velocity_installs_of_extension ON velocity_installs (extension_id, id);

-- Where an extension's events go. The secret signs, so it is kept as it is.
CREATE TABLE webhook_endpoints (
  id            {id},
  extension_id  {int64} NOT NULL REFERENCES velocity_extensions (id),
  url           TEXT NOT NULL,
  events        TEXT NOT NULL,
  secret        TEXT NOT NULL,
  created_at    {int64} NOT NULL,
  removed_at    {int64}
);

CREATE INDEX webhook_endpoints_of_extension ON webhook_endpoints (extension_id, id);

-- The outbox: written in the transaction of the change it tells of.
CREATE TABLE webhook_deliveries (
  id               {id},
  delivery_id      TEXT NOT NULL UNIQUE,
  endpoint_id      {int64} NOT NULL REFERENCES webhook_endpoints (id),
  event_type       TEXT NOT NULL,
  payload          TEXT NOT NULL,
  status           TEXT NOT NULL CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED', 'CANCELLED')),
  attempts         {int64} NOT NULL,
  tries_left       {int64} NOT NULL,
  next_attempt_at  {int64},
  claimed_until    {int64},
  created_at       {int64} NOT NULL,
  delivered_at     {int64},
  last_status      {int64},
  last_error       TEXT,
  CHECK ((next_attempt_at IS NOT NULL) = (status = 'PENDING'))
);

-- By endpoint: a long queue of one is passed by what is due at the others.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_attempt_at)
  WHERE status = 'PENDING';

CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, id);

-- What writes were answered, by the caller's Idempotency-Key.
CREATE TABLE idempotency_keys (
  id           {id},
  caller       TEXT NOT NULL,
  key          TEXT NOT NULL,
  fingerprint  {bytes} NOT NULL,
  answer       TEXT NOT NULL,
  created_at   {int64} NOT NULL,
  UNIQUE (caller, key)
);

CREATE INDEX idempotency_keys_oldest ON idempotency_keys (created_at);
