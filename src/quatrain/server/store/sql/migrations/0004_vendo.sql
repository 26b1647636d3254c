-- An app: what uses connections, under keys of its own.
CREATE TABLE vendo_apps (
  id          {id},
  tenant      TEXT NOT NULL,
  slug        TEXT NOT NULL,
  name        TEXT NOT NULL,
  created_at  {int64} NOT NULL,
  UNIQUE (tenant, slug)
);

-- An integration that was connected: for one user of the tenant's, or for all of them ('').
CREATE TABLE vendo_connections (
  id             {id},
  tenant         TEXT NOT NULL,
  connection_id  TEXT NOT NULL UNIQUE,
  user_id        TEXT NOT NULL,
  slug           TEXT NOT NULL,
  external_id    TEXT,
  display_name   TEXT NOT NULL,
  profile        TEXT NOT NULL,
  status         TEXT NOT NULL
    CHECK (status IN ('connected', 'pending_setup', 'needs_reauth', 'error', 'revoked')),
  metadata       TEXT NOT NULL,
  error_message  TEXT,
  connected_at   {int64},
  created_at     {int64} NOT NULL,
  updated_at     {int64} NOT NULL
);

-- A revoked one stays for the record; beside it there may be a new one.
CREATE UNIQUE INDEX vendo_connections_in_use ON vendo_connections (tenant, user_id, slug)
  WHERE status <> 'revoked';

-- Which app may use which connection.
CREATE TABLE vendo_bindings (
  id             {id},
  app_id         {int64} NOT NULL REFERENCES vendo_apps (id),
  connection_id  {int64} NOT NULL REFERENCES vendo_connections (id),
  created_at     {int64} NOT NULL,
  UNIQUE (app_id, connection_id)
);

CREATE INDEX vendo_bindings_of_connection ON vendo_bindings (connection_id);

-- An app's keys. With a connection it is that connection's: it opens its token and nothing else.
CREATE TABLE vendo_keys (
  id             {id},
  app_id         {int64} NOT NULL REFERENCES vendo_apps (id),
  connection_id  {int64} REFERENCES vendo_connections (id),
  hint           TEXT NOT NULL,
  digest         {bytes} NOT NULL UNIQUE,
  created_at     {int64} NOT NULL,
  expires_at     {int64},
  last_used_at   {int64},
  revoked_at     {int64}
);

CREATE INDEX vendo_keys_of_app ON vendo_keys (app_id, id);

-- What opens a connection, encrypted. A static one has no refresh token, and does not expire.
CREATE TABLE vendo_tokens (
  id             {id},
  connection_id  {int64} NOT NULL UNIQUE REFERENCES vendo_connections (id),
  access         {bytes} NOT NULL,
  refresh        {bytes},
  token_type     TEXT NOT NULL,
  expires_at     {int64},
  updated_at     {int64} NOT NULL
);

-- What the simulated provider keeps of the grants that it gave: their refresh tokens, hashed.
CREATE TABLE vendo_provider_grants (
  id             {id},
  connection_id  {int64} NOT NULL REFERENCES vendo_connections (id),
  digest         {bytes} NOT NULL UNIQUE,
  created_at     {int64} NOT NULL,
  revoked_at     {int64}
);

CREATE INDEX vendo_provider_grants_of_connection ON vendo_provider_grants (connection_id);

-- A visit to the connect page. An app's state is good for one.
CREATE TABLE vendo_grants (
  id            {id},
  app_id        {int64} NOT NULL REFERENCES vendo_apps (id),
  user_id       TEXT NOT NULL,
  slug          TEXT NOT NULL,
  state         {bytes} NOT NULL,
  digest        {bytes} NOT NULL UNIQUE,
  return_to     TEXT NOT NULL,
  created_at    {int64} NOT NULL,
  expires_at    {int64} NOT NULL,
  completed_at  {int64},
  outcome       TEXT CHECK (outcome IN ('connected', 'denied')),
  UNIQUE (app_id, state)
);

-- A tenant's credits. A cap that is null is none.
CREATE TABLE vendo_wallets (
  id              {id},
  tenant          TEXT NOT NULL UNIQUE,
  credits_micros  {int64} NOT NULL,
  currency        TEXT NOT NULL,
  daily_micros    {int64},
  monthly_micros  {int64},
  updated_at      {int64} NOT NULL
);

CREATE TABLE vendo_usage (
  id         {id},
  tenant     TEXT NOT NULL,
  app_id     {int64} NOT NULL REFERENCES vendo_apps (id),
  provider   TEXT NOT NULL,
  action_id  TEXT NOT NULL,
  micros     {int64} NOT NULL,
  at         {int64} NOT NULL
);

CREATE INDEX vendo_usage_of_tenant ON vendo_usage (tenant, at);

-- What was spent in a day or a month, in the sum, and of which cap the apps were told meanwhile that
-- it is nearly reached, or reached.
CREATE TABLE vendo_spend (
  id             {id},
  tenant         TEXT NOT NULL,
  period         TEXT NOT NULL CHECK (period IN ('day', 'month')),
  since          {int64} NOT NULL,
  micros         {int64} NOT NULL,
  warned_micros  {int64},
  tripped_micros {int64},
  UNIQUE (tenant, period, since)
);

-- What an app's streams are told, in the order of its ids; written with the change it tells of.
-- With a user it tells of that user's connection, and streams for other users are not told.
CREATE TABLE vendo_events (
  id        {id},
  app_id    {int64} NOT NULL REFERENCES vendo_apps (id),
  user_id   TEXT NOT NULL,
  event_id  TEXT NOT NULL,
  kind      TEXT NOT NULL,
  payload   TEXT NOT NULL,
  at        {int64} NOT NULL
);

CREATE INDEX vendo_events_of_app ON vendo_events (app_id, id);
