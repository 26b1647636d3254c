-- add_key --
INSERT INTO velerian_keys (tenant, name, user_id, hint, digest, scopes, rate_per_minute, created_at,
  expires_at)
VALUES (:tenant, :name, :user_id, :hint, :digest, :scopes, :rate_per_minute, :now, :expires_at)
RETURNING id

-- list_keys --
SELECT id, name, user_id, hint, scopes, rate_per_minute, created_at, expires_at, last_used_at,
  revoked_at
FROM velerian_keys
WHERE tenant = :tenant
ORDER BY id

-- page_of_keys --
SELECT id, name, user_id, hint, scopes, rate_per_minute, created_at, expires_at, last_used_at,
  revoked_at
FROM velerian_keys
WHERE tenant = :tenant
ORDER BY id
LIMIT :limit OFFSET :offset

-- count_keys --
SELECT count(*) FROM velerian_keys WHERE tenant = :tenant

-- get_key --
SELECT id, name, user_id, hint, scopes, rate_per_minute, created_at, expires_at, last_used_at,
  revoked_at
FROM velerian_keys
WHERE tenant = :tenant AND id = :id

-- revoke_key --
UPDATE velerian_keys SET revoked_at = :now
WHERE tenant = :tenant AND id = :id AND revoked_at IS NULL
RETURNING id

-- find_key --
SELECT id, last_used_at, digest, tenant, user_id, scopes, rate_per_minute, expires_at
FROM velerian_keys
WHERE digest = :digest AND revoked_at IS NULL

-- touch_key --
UPDATE velerian_keys SET last_used_at = :now WHERE id = :id
