-- Each operation is one statement that finds, judges and changes one row. :now is the server's
-- clock. The fence token guards every write of a holder; the clock only decides who may begin.
--
-- A row is found by its key. status || '' is an expression that no index has: a planner that knows
-- of few running effects would go through all of them.

-- lease --
-- Begin, or begin again after a run-out lease or a reset. No row: settled, or held by another.
INSERT INTO effects (
  realm_id, namespace, effect_key, effect_name, status, fence_token, lease_token_hash,
  lease_duration_ms, lease_expires_at, agent_id, workflow_name, case_id, run_id, input_json,
  created_at, updated_at, first_fence
) VALUES (
  :realm_id, :namespace, :effect_key, :effect_name, 'RUNNING',
  1 + coalesce((SELECT floor FROM fence_floors WHERE realm_id = :realm_id), 0), :lease_token_hash,
  :lease_duration_ms, :now + :lease_duration_ms, :agent_id, :workflow_name, :case_id, :run_id,
  :input_json, :now, :now,
  1 + coalesce((SELECT floor FROM fence_floors WHERE realm_id = :realm_id), 0)
)
ON CONFLICT (realm_id, namespace, effect_key) DO UPDATE SET
  status = 'RUNNING',
  fence_token = effects.fence_token + 1,
  lease_token_hash = excluded.lease_token_hash,
  lease_duration_ms = excluded.lease_duration_ms,
  prior_expires_at = effects.lease_expires_at,
  lease_expires_at = excluded.lease_expires_at,
  effect_name = coalesce(excluded.effect_name, effects.effect_name),
  agent_id = excluded.agent_id,
  workflow_name = coalesce(excluded.workflow_name, effects.workflow_name),
  case_id = coalesce(excluded.case_id, effects.case_id),
  run_id = excluded.run_id,
  input_json = coalesce(excluded.input_json, effects.input_json),
  source = NULL,
  result = NULL,
  error = NULL,
  updated_at = excluded.updated_at
WHERE effects.status = 'RESET'
   OR (effects.status = 'RUNNING' AND effects.lease_expires_at <= :now)
RETURNING id, fence_token, first_fence, lease_expires_at, prior_expires_at

-- renew --
-- Never shortens. A lease that has run out is not revived: others may be about to begin.
UPDATE effects SET
  lease_expires_at = CASE
    WHEN :now + coalesce(:extension_ms, lease_duration_ms) > lease_expires_at
    THEN :now + coalesce(:extension_ms, lease_duration_ms)
    ELSE lease_expires_at
  END,
  updated_at = :now
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key
  AND fence_token = :fence_token AND lease_token_hash = :lease_token_hash
  AND status || '' = 'RUNNING' AND lease_expires_at > :now
RETURNING id, agent_id, run_id, lease_expires_at

-- commit --
-- Accepted after expiry too, as long as nobody has begun since.
UPDATE effects SET
  status = 'COMMITTED', result = :result, source = :source, lease_expires_at = NULL,
  updated_at = :now
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key
  AND fence_token = :fence_token AND lease_token_hash = :lease_token_hash
  AND status || '' = 'RUNNING'
RETURNING id, agent_id, run_id

-- fail --
UPDATE effects SET
  status = 'FAILED', error = :error, source = :source, lease_expires_at = NULL,
  updated_at = :now
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key
  AND fence_token = :fence_token AND lease_token_hash = :lease_token_hash
  AND status || '' = 'RUNNING'
RETURNING id, agent_id, run_id

-- reset --
-- The error stays to be read until the next lease. prior_expires_at tells an expired lease.
UPDATE effects SET
  status = 'RESET', prior_expires_at = lease_expires_at, lease_expires_at = NULL,
  updated_at = :now
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key
  AND (status || '' = 'FAILED' OR (status || '' = 'RUNNING' AND lease_expires_at <= :now))
  AND fence_token = coalesce(:seen_fence, fence_token)
RETURNING id, fence_token, prior_expires_at

-- resolve_done --
-- An operator's commit, under a fence of its own: what the last holder still sends is refused. The
-- token that goes with it is nobody's.
UPDATE effects SET
  status = 'COMMITTED', result = :result, source = 'resolved', fence_token = fence_token + 1,
  operator_fences = operator_fences + 1, lease_token_hash = :lease_token_hash,
  prior_expires_at = lease_expires_at, lease_expires_at = NULL, updated_at = :now
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key
  AND status || '' = 'RUNNING' AND lease_expires_at <= :now
  AND fence_token = coalesce(:seen_fence, fence_token)
RETURNING id, fence_token, prior_expires_at

-- resolve_not_done --
-- A reset of what has run out, and of nothing else.
UPDATE effects SET
  status = 'RESET', prior_expires_at = lease_expires_at, lease_expires_at = NULL,
  updated_at = :now
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key
  AND status || '' = 'RUNNING' AND lease_expires_at <= :now
  AND fence_token = coalesce(:seen_fence, fence_token)
RETURNING id, fence_token, prior_expires_at

-- release --
-- The lease ends now and its holder is refused from now on; as after any lease that ran out, the
-- next one observes first, for the action may have happened.
UPDATE effects SET
  fence_token = fence_token + 1, operator_fences = operator_fences + 1,
  lease_token_hash = :lease_token_hash, lease_expires_at = :now, updated_at = :now
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key
  AND status || '' = 'RUNNING' AND lease_expires_at > :now
  AND fence_token = coalesce(:seen_fence, fence_token)
RETURNING id, fence_token, agent_id

-- state --
-- What a refusal is explained from.
SELECT id, status, fence_token, lease_token_hash, agent_id, run_id, lease_expires_at, result, error
FROM effects
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key

-- lock --
-- Changes nothing: the row stays as it is until the transaction's end.
UPDATE effects SET updated_at = updated_at
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key

-- add_event --
-- By position: of all statements it runs most often, and names cost a third of its time.
INSERT INTO effect_events (effect_id, type, at, fence_token, agent_id, run_id, detail)
VALUES (?, ?, ?, ?, ?, ?, ?)

-- add_expiry_of_previous_lease --
-- Under the name of the agent whose lease it was.
INSERT INTO effect_events (effect_id, type, at, fence_token, agent_id, run_id, detail)
SELECT effect_id, 'LEASE_EXPIRED', :at, fence_token, agent_id, run_id, :detail
FROM effect_events
WHERE effect_id = :effect_id AND fence_token = :fence_token - 1 AND type = 'LEASE_GRANTED'

-- get --
SELECT {columns}
FROM effects
WHERE realm_id = :realm_id AND namespace = :namespace AND effect_key = :effect_key

-- of_key --
-- Namespace after namespace, each found in an index: none is of the keys alone.
WITH RECURSIVE spaces (name) AS (
  SELECT min(namespace) FROM effects WHERE realm_id = :realm_id
  UNION ALL
  SELECT (SELECT min(namespace) FROM effects WHERE realm_id = :realm_id AND namespace > spaces.name)
  FROM spaces WHERE spaces.name IS NOT NULL
)
SELECT {columns}
FROM spaces JOIN effects ON effects.namespace = spaces.name
WHERE realm_id = :realm_id AND effect_key = :effect_key

-- list --
-- Newest first; a page begins below the last row of the page before, so new rows move nothing.
SELECT {columns}
FROM effects
WHERE realm_id = :realm_id{filters}
ORDER BY id DESC
LIMIT :limit

-- events --
-- Oldest first.
SELECT seq, type, at, fence_token, agent_id, run_id, detail
FROM effect_events
WHERE effect_id = :effect_id AND seq > :after
ORDER BY seq
LIMIT :limit
