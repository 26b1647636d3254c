-- last_entry --
SELECT sequence, at, chain_hash FROM velerian_audit
WHERE tenant = :tenant
ORDER BY sequence DESC
LIMIT 1

-- add_entry --
INSERT INTO velerian_audit (tenant, sequence, at, actor_user_id, action, resource_kind, resource_id,
  detail, chain_hash)
VALUES (:tenant, :sequence, :at, :actor_user_id, :action, :resource_kind, :resource_id, :detail,
  :chain_hash)

-- first_since --
SELECT sequence FROM velerian_audit
WHERE tenant = :tenant AND at >= :since
ORDER BY at, sequence
LIMIT 1

-- last_until --
SELECT sequence FROM velerian_audit
WHERE tenant = :tenant AND at <= :until
ORDER BY at DESC, sequence DESC
LIMIT 1

-- count --
SELECT count(*) FROM velerian_audit
WHERE tenant = :tenant AND sequence >= :first AND sequence <= :last{filters}

-- page --
SELECT id, sequence, at, actor_user_id, action, resource_kind, resource_id, detail, chain_hash
FROM velerian_audit
WHERE tenant = :tenant AND sequence >= :first AND sequence <= :last{filters}
ORDER BY sequence
LIMIT :limit OFFSET :skip
