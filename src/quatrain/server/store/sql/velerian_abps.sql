-- add_abp --
INSERT INTO velerian_abps (tenant, abp_id, name, state, policy, created_at, updated_at)
VALUES (:tenant, :abp_id, :name, :state, :policy, :now, :now)
ON CONFLICT (tenant, abp_id) DO NOTHING
RETURNING id

-- abp --
SELECT abp_id, name, state, policy, created_at, updated_at FROM velerian_abps
WHERE tenant = :tenant AND abp_id = :abp_id

-- abps --
SELECT abp_id, name, state, policy, created_at, updated_at FROM velerian_abps
WHERE tenant = :tenant
ORDER BY id
LIMIT :limit OFFSET :offset

-- count_abps --
SELECT count(*) FROM velerian_abps WHERE tenant = :tenant

-- change_state --
UPDATE velerian_abps SET state = :state, updated_at = :now
WHERE tenant = :tenant AND abp_id = :abp_id

-- add_invocation --
INSERT INTO velerian_invocations (tenant, invocation_id, abp_id, user_id, payload, outcome, verdict,
  output, model_error, pack_id, created_at, finished_at)
VALUES (:tenant, :invocation_id, :abp_id, :user_id, :payload, :outcome, :verdict, :output,
  :model_error, :pack_id, :created_at, :finished_at)

-- finish_invocation --
UPDATE velerian_invocations SET
  outcome = :outcome,
  output = :output,
  model_error = :model_error,
  pack_id = :pack_id,
  finished_at = :finished_at
WHERE tenant = :tenant AND invocation_id = :invocation_id

-- invocation --
SELECT invocation_id, velerian_invocations.abp_id, user_id, payload, outcome, verdict, output,
  model_error, velerian_invocations.pack_id, chain_hash, velerian_invocations.created_at,
  finished_at
FROM velerian_invocations
JOIN velerian_packs ON velerian_packs.pack_id = velerian_invocations.pack_id
WHERE velerian_invocations.tenant = :tenant AND invocation_id = :invocation_id

-- invocations --
SELECT invocation_id, velerian_invocations.abp_id, user_id, payload, outcome, verdict, output,
  model_error, velerian_invocations.pack_id, chain_hash, velerian_invocations.created_at,
  finished_at
FROM velerian_invocations
JOIN velerian_packs ON velerian_packs.pack_id = velerian_invocations.pack_id
WHERE velerian_invocations.tenant = :tenant AND velerian_invocations.abp_id = :abp_id
ORDER BY velerian_invocations.id
LIMIT :limit OFFSET :offset

-- count_invocations --
SELECT count(*) FROM velerian_invocations WHERE tenant = :tenant AND abp_id = :abp_id

-- add_approval --
INSERT INTO velerian_approvals (tenant, approval_id, invocation_id, state, reason, created_at)
VALUES (:tenant, :approval_id, :invocation_id, 'pending', :reason, :now)

-- approval --
SELECT approval_id, velerian_approvals.invocation_id, abp_id, state, reason, decided_by, decision,
  velerian_approvals.created_at, decided_at
FROM velerian_approvals
JOIN velerian_invocations
  ON velerian_invocations.invocation_id = velerian_approvals.invocation_id
WHERE velerian_approvals.tenant = :tenant AND approval_id = :approval_id

-- approvals --
SELECT approval_id, velerian_approvals.invocation_id, abp_id, state, reason, decided_by, decision,
  velerian_approvals.created_at, decided_at
FROM velerian_approvals
JOIN velerian_invocations
  ON velerian_invocations.invocation_id = velerian_approvals.invocation_id
WHERE velerian_approvals.tenant = :tenant{filters}
ORDER BY velerian_approvals.id
LIMIT :limit OFFSET :offset

-- count_approvals --
SELECT count(*) FROM velerian_approvals WHERE tenant = :tenant{filters}

-- decide --
UPDATE velerian_approvals SET
  state = :state,
  decided_by = :by,
  decision = :reason,
  decided_at = :now
WHERE tenant = :tenant AND approval_id = :approval_id AND state = 'pending'
RETURNING id
