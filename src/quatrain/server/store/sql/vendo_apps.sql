-- Apps and their keys.

-- ensure_app --
INSERT INTO vendo_apps (tenant, slug, name, created_at)
VALUES (:tenant, :slug, :new_name, :now)
ON CONFLICT (tenant, slug) DO UPDATE SET name = coalesce(:name, vendo_apps.name)
RETURNING id, slug, name, created_at

-- find_app --
SELECT id, slug, name, created_at FROM vendo_apps WHERE tenant = :tenant AND slug = :slug

-- list_apps --
SELECT id, slug, name, created_at FROM vendo_apps WHERE tenant = :tenant ORDER BY id

-- add_key --
INSERT INTO vendo_keys (app_id, connection_id, hint, digest, created_at, expires_at)
VALUES (:app_id, :connection_id, :hint, :digest, :now, :expires_at)
RETURNING id

-- get_key --
SELECT k.id, a.slug, c.slug, c.connection_id, k.hint, k.created_at, k.expires_at, k.last_used_at,
  k.revoked_at
FROM vendo_keys k
JOIN vendo_apps a ON a.id = k.app_id
LEFT JOIN vendo_connections c ON c.id = k.connection_id
WHERE a.tenant = :tenant AND k.id = :id

-- list_keys --
SELECT k.id, a.slug, c.slug, c.connection_id, k.hint, k.created_at, k.expires_at, k.last_used_at,
  k.revoked_at
FROM vendo_keys k
JOIN vendo_apps a ON a.id = k.app_id
LEFT JOIN vendo_connections c ON c.id = k.connection_id
WHERE a.tenant = :tenant
ORDER BY k.id

-- revoke_key --
UPDATE vendo_keys SET revoked_at = :now
WHERE id = :id AND revoked_at IS NULL
  AND app_id IN (SELECT id FROM vendo_apps WHERE tenant = :tenant)

-- find_key --
SELECT k.id, k.last_used_at, k.digest, k.revoked_at, k.expires_at, k.connection_id, a.id, a.tenant,
  a.slug
FROM vendo_keys k
JOIN vendo_apps a ON a.id = k.app_id
WHERE k.digest = :digest

-- touch_key --
UPDATE vendo_keys SET last_used_at = :now WHERE id = :id
