-- Many operations of one kind in one statement, each on another effect, with their lines of audit;
-- for PostgreSQL. What is :given are the operations' parameters as a JSON array of objects.

-- lock --
-- In the order in which they are given: a subquery that locks runs for one after the other. What
-- keeps out changes nothing; but who is to write has to ask for the table before any row of it, or a
-- prune, which has the table to itself, would wait for the rows and be waited for. An effect that is
-- not there yet can't be locked: of two batches that begin the same ones the database may end one, as
-- a deadlock, and the writer does that one operation by operation.
WITH keep_out AS (UPDATE effects SET updated_at = updated_at WHERE false)
SELECT count(*)
FROM json_to_recordset(:given::json) AS given (realm_id bigint, namespace text, effect_key text)
CROSS JOIN LATERAL (
  SELECT 1 FROM effects
  WHERE effects.realm_id = given.realm_id AND effects.namespace = given.namespace
    AND effects.effect_key = given.effect_key
  FOR NO KEY UPDATE
) AS locked

-- change --
-- {change} is a statement of effects.sql, in which each :name has become the column given_name. One
-- that is not given the time asks for it.
WITH clock AS MATERIALIZED (
  SELECT coalesce(:now::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now
),
given ({names}) AS (
  SELECT * FROM json_to_recordset(:given::json) AS given ({columns})
),
changed AS (
{change}, effects.realm_id, effects.namespace, effects.effect_key,
  effects.fence_token AS told_fence, effects.agent_id AS told_agent, {run} AS told_run,
  {detail} AS told_detail
),
told AS (
  INSERT INTO effect_events (effect_id, type, at, fence_token, agent_id, run_id, detail)
  {lines}
)
SELECT (SELECT now FROM clock), realm_id, namespace, effect_key, {answer} FROM changed

-- line --
SELECT id, '{event}', (SELECT now FROM clock), told_fence, told_agent, told_run, {detail} FROM changed

-- lines_of_lease --
-- As add_expiry_of_previous_lease has it: what ran out comes first, under its agent's name. This
-- statement may have waited for the row, and not see what was told of its fence meanwhile. Then a
-- line without a fence is refused by the table, and with it all of the statement: the operation is
-- done anew, in statements that see it.
SELECT id, type, (SELECT now FROM clock), told_fence, told_agent, told_run, detail FROM (
  SELECT id, 1 AS turn, 'LEASE_GRANTED' AS type, told_fence, told_agent, told_run,
    '{{"priorState": "' || CASE
      WHEN fence_token = first_fence THEN 'none'
      WHEN prior_expires_at IS NULL THEN 'reset'
      ELSE 'expired'
    END || '", "leaseExpiresAt": "' || {until} || '"}}' AS detail
  FROM changed
  UNION ALL
  SELECT changed.id, 0, 'LEASE_EXPIRED', previous.fence_token, previous.agent_id, previous.run_id,
    '{{"leaseExpiredAt": "' || {ended} || '"}}'
  FROM changed LEFT JOIN effect_events AS previous
    ON previous.effect_id = changed.id AND previous.fence_token = changed.fence_token - 1
    AND previous.type IN ('LEASE_GRANTED', 'LEASE_RELEASED')
  WHERE changed.fence_token <> first_fence AND prior_expires_at IS NOT NULL
    AND previous.type IS DISTINCT FROM 'LEASE_RELEASED'
) AS lines ORDER BY id, turn
