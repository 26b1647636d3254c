-- last_pack --
SELECT sequence, chain_hash FROM velerian_packs
WHERE tenant = :tenant
ORDER BY sequence DESC
LIMIT 1

-- add_pack --
INSERT INTO velerian_packs (tenant, sequence, pack_id, abp_id, subject_id, body, body_hash,
  chain_hash, created_at)
VALUES (:tenant, :sequence, :pack_id, :abp_id, :subject_id, :body, :body_hash, :chain_hash, :now)
