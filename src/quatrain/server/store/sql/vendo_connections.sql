-- Connections, who may use them, and their tokens.

-- add_connection --
INSERT INTO vendo_connections (tenant, connection_id, user_id, slug, external_id, display_name,
  profile, status, metadata, connected_at, created_at, updated_at)
VALUES (:tenant, :connection_id, :user_id, :slug, :external_id, :display_name, :profile,
  'connected', coalesce(:metadata, '{}'), :now, :now, :now)
RETURNING id

-- connect_again --
UPDATE vendo_connections
SET status = 'connected', profile = :profile, external_id = coalesce(:external_id, external_id),
  metadata = coalesce(:metadata, metadata), error_message = NULL, connected_at = :now,
  updated_at = :now
WHERE id = :id

-- in_use --
SELECT id, connection_id, user_id, slug, external_id, display_name, profile, status, metadata,
  error_message, connected_at, created_at, updated_at
FROM vendo_connections
WHERE tenant = :tenant AND user_id = :user_id AND slug = :slug AND status <> 'revoked'

-- by_row --
SELECT id, connection_id, user_id, slug, external_id, display_name, profile, status, metadata,
  error_message, connected_at, created_at, updated_at
FROM vendo_connections
WHERE id = :id

-- by_id --
SELECT id, connection_id, user_id, slug, external_id, display_name, profile, status, metadata,
  error_message, connected_at, created_at, updated_at
FROM vendo_connections
WHERE tenant = :tenant AND connection_id = :connection_id

-- of_tenant --
SELECT id, connection_id, user_id, slug, external_id, display_name, profile, status, metadata,
  error_message, connected_at, created_at, updated_at
FROM vendo_connections
WHERE tenant = :tenant AND (status <> 'revoked' OR :revoked = 1)
ORDER BY id
LIMIT :limit OFFSET :offset

-- apps_bound --
SELECT a.slug
FROM vendo_bindings b
JOIN vendo_apps a ON a.id = b.app_id
WHERE b.connection_id = :id
ORDER BY a.slug

-- of_app --
SELECT c.id, c.connection_id, c.user_id, c.slug, c.external_id, c.display_name, c.profile, c.status,
  c.metadata, c.error_message, c.connected_at, c.created_at, c.updated_at
FROM vendo_bindings b
JOIN vendo_connections c ON c.id = b.connection_id
WHERE b.app_id = :app_id AND c.tenant = :tenant AND c.user_id IN (:user_id, '')
ORDER BY CASE WHEN c.status = 'revoked' THEN 1 ELSE 0 END,
  CASE WHEN c.user_id = '' THEN 1 ELSE 0 END, c.id DESC

-- of_app_by_slug --
SELECT c.id, c.connection_id, c.user_id, c.slug, c.external_id, c.display_name, c.profile, c.status,
  c.metadata, c.error_message, c.connected_at, c.created_at, c.updated_at
FROM vendo_bindings b
JOIN vendo_connections c ON c.id = b.connection_id
WHERE b.app_id = :app_id AND c.tenant = :tenant AND c.user_id IN (:user_id, '') AND c.slug = :slug
ORDER BY CASE WHEN c.status = 'revoked' THEN 1 ELSE 0 END,
  CASE WHEN c.user_id = '' THEN 1 ELSE 0 END, c.id DESC
LIMIT 1

-- bound_row --
SELECT c.id
FROM vendo_connections c
JOIN vendo_bindings b ON b.connection_id = c.id
JOIN vendo_apps a ON a.id = b.app_id
WHERE a.tenant = :tenant AND a.slug = :slug AND c.tenant = :tenant
  AND c.connection_id = :connection AND c.status <> 'revoked'

-- set_status --
UPDATE vendo_connections
SET status = :status, error_message = :error_message, updated_at = :now
WHERE id = :id

-- set_metadata --
UPDATE vendo_connections SET metadata = :metadata, updated_at = :now WHERE id = :id

-- bind --
INSERT INTO vendo_bindings (app_id, connection_id, created_at)
VALUES (:app_id, :id, :now)
ON CONFLICT (app_id, connection_id) DO NOTHING
RETURNING id

-- binding --
SELECT id FROM vendo_bindings WHERE app_id = :app_id AND connection_id = :id

-- unbind --
DELETE FROM vendo_bindings WHERE app_id = :app_id AND connection_id = :id RETURNING id

-- put_token --
INSERT INTO vendo_tokens (connection_id, access, refresh, token_type, expires_at, updated_at)
VALUES (:id, :access, :refresh, :token_type, :expires_at, :now)
ON CONFLICT (connection_id) DO UPDATE
SET access = excluded.access, refresh = excluded.refresh, token_type = excluded.token_type,
  expires_at = excluded.expires_at, updated_at = excluded.updated_at

-- token --
SELECT access, refresh, token_type, expires_at FROM vendo_tokens WHERE connection_id = :id

-- renew_token --
UPDATE vendo_tokens SET access = :access, expires_at = :expires_at, updated_at = :now
WHERE connection_id = :id AND expires_at = :was
RETURNING connection_id

-- expire_token --
UPDATE vendo_tokens SET expires_at = :now, updated_at = :now
WHERE connection_id = :id AND refresh IS NOT NULL
RETURNING connection_id

-- drop_token --
DELETE FROM vendo_tokens WHERE connection_id = :id

-- newest_token --
SELECT access FROM vendo_tokens ORDER BY id DESC LIMIT 1

-- tokens_after --
SELECT connection_id, access, refresh FROM vendo_tokens
WHERE connection_id > :after
ORDER BY connection_id
LIMIT :limit

-- reseal_token --
UPDATE vendo_tokens SET access = :access, refresh = :refresh WHERE connection_id = :id

-- add_grant --
INSERT INTO vendo_provider_grants (connection_id, digest, created_at) VALUES (:id, :digest, :now)

-- grant_stands --
SELECT id FROM vendo_provider_grants WHERE digest = :digest AND revoked_at IS NULL

-- revoke_grants --
UPDATE vendo_provider_grants SET revoked_at = :now
WHERE connection_id = :id AND revoked_at IS NULL
RETURNING id
