-- ensure_realm --
INSERT INTO realms (tenant, mode) VALUES (:tenant, :mode)
ON CONFLICT (tenant, mode) DO NOTHING

-- find_realm --
SELECT id FROM realms WHERE tenant = :tenant AND mode = :mode

-- add_key --
INSERT INTO api_keys (realm_id, name, hint, digest, scopes, created_at)
SELECT id, :name, :hint, :digest, :scopes, :now
FROM realms
WHERE tenant = :tenant AND mode = :mode
RETURNING id

-- list_keys --
SELECT api_keys.id, name, tenant, mode, hint, scopes, created_at, last_used_at, revoked_at
FROM api_keys JOIN realms ON realms.id = api_keys.realm_id
ORDER BY api_keys.id

-- get_key --
SELECT api_keys.id, name, tenant, mode, hint, scopes, created_at, last_used_at, revoked_at
FROM api_keys JOIN realms ON realms.id = api_keys.realm_id
WHERE api_keys.id = :id

-- revoke_key --
UPDATE api_keys SET revoked_at = :now
WHERE id = :id AND revoked_at IS NULL

-- find_key --
SELECT api_keys.id, tenant, realm_id, name, digest, scopes, last_used_at
FROM api_keys JOIN realms ON realms.id = api_keys.realm_id
WHERE digest = :digest AND revoked_at IS NULL

-- touch_key --
UPDATE api_keys SET last_used_at = :now WHERE id = :id
