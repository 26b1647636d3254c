-- outcomes --
SELECT outcome, count(*), count(model_error) FROM velerian_invocations
WHERE tenant = :tenant
GROUP BY outcome
ORDER BY outcome

-- run_states --
SELECT status, count(*) FROM velerian_runs
WHERE tenant = :tenant
GROUP BY status
ORDER BY status

-- abp_states --
SELECT state, count(*) FROM velerian_abps
WHERE tenant = :tenant
GROUP BY state
ORDER BY state

-- networks --
SELECT count(*) FROM velerian_networks WHERE tenant = :tenant

-- keys --
SELECT count(*) FROM velerian_keys
WHERE tenant = :tenant AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)

-- waiting --
SELECT count(*) FROM velerian_approvals WHERE tenant = :tenant AND state = 'pending'

-- users --
SELECT count(*) FROM (
  SELECT user_id FROM velerian_invocations WHERE tenant = :tenant
  UNION
  SELECT user_id FROM velerian_runs WHERE tenant = :tenant
) AS users

-- last_pack --
SELECT sequence, chain_hash, created_at FROM velerian_packs
WHERE tenant = :tenant
ORDER BY sequence DESC
LIMIT 1

-- packs --
SELECT pack_id, sequence, abp_id, subject_id, body_hash, chain_hash, created_at FROM velerian_packs
WHERE tenant = :tenant AND sequence > :offset
ORDER BY sequence
LIMIT :limit
