-- What the Explorer reads. No statement looks at more than a bounded number of rows: {filters} holds
-- what an index finds, and what is judged row by row is between two ids that are not far apart.

-- mode --
SELECT mode FROM realms WHERE id = :realm_id

-- floor --
-- The id at which a search of so many rows ends; no row when there are not as many.
SELECT id FROM effects
WHERE realm_id = :realm_id{indexed} AND id < :before
ORDER BY id DESC
LIMIT 1 OFFSET :scan

-- page --
SELECT {columns} FROM effects
WHERE realm_id = :realm_id{indexed} AND id < :before AND id >= :floor{filters}
ORDER BY id DESC
LIMIT :limit

-- newest --
SELECT max(id) FROM effects WHERE realm_id = :realm_id

-- at_or_below --
SELECT id, created_at FROM effects
WHERE realm_id = :realm_id AND id <= :id
ORDER BY id DESC
LIMIT 1

-- effect --
SELECT {columns} FROM effects
WHERE realm_id = :realm_id AND id = :id

-- trail --
-- Newest first: of a long one, the end is what matters.
SELECT seq, type, at, fence_token, agent_id, run_id, detail FROM effect_events
WHERE effect_id = :effect_id
ORDER BY seq DESC
LIMIT :limit

-- count --
-- Of what an index finds, and no more than matter: "10,000 or more" is as good as the number.
SELECT count(*) FROM (
  SELECT id FROM effects WHERE realm_id = :realm_id AND {state} ORDER BY id LIMIT :most
) AS found

-- count_running --
-- The oldest first: those are the ones whose leases have run out.
SELECT count(*), coalesce(sum(CASE WHEN lease_expires_at <= :now THEN 1 ELSE 0 END), 0) FROM (
  SELECT lease_expires_at FROM effects
  WHERE realm_id = :realm_id AND status = 'RUNNING'
  ORDER BY id LIMIT :most
) AS found

-- oldest_running --
SELECT {columns} FROM effects
WHERE realm_id = :realm_id AND status = 'RUNNING'
ORDER BY id LIMIT :limit

-- recent_reach --
-- How far back the newest so many effects go.
SELECT count(*), min(created_at) FROM (
  SELECT created_at FROM effects WHERE realm_id = :realm_id ORDER BY id DESC LIMIT :most
) AS found

-- recent --
SELECT (created_at - :since) / :width AS bucket, state, count(*) FROM (
  SELECT created_at,
    CASE WHEN status = 'RUNNING' AND lease_expires_at <= :now THEN 'EXPIRED' ELSE status END AS state
  FROM effects WHERE realm_id = :realm_id ORDER BY id DESC LIMIT :most
) AS found
WHERE created_at >= :since
GROUP BY 1, 2

-- activity --
-- The newest lines of the whole trail, of which those of other realms are passed over. No planner is
-- to begin with all effects of the realm: that is what the + 0 is for.
SELECT newest.type, newest.at, newest.agent_id, effects.id, effects.effect_key
FROM (
  SELECT seq, type, at, agent_id, effect_id FROM effect_events ORDER BY seq DESC LIMIT :reach
) AS newest JOIN effects ON effects.id = newest.effect_id
WHERE effects.realm_id + 0 = :realm_id
ORDER BY newest.seq DESC
LIMIT :limit

-- workflows --
SELECT workflow_name, count(*), sum(CASE WHEN state = 'COMMITTED' THEN 1 ELSE 0 END),
  sum(CASE WHEN state = 'FAILED' THEN 1 ELSE 0 END),
  sum(CASE WHEN state = 'EXPIRED' THEN 1 ELSE 0 END), max(updated_at)
FROM (
  SELECT workflow_name, updated_at,
    CASE WHEN status = 'RUNNING' AND lease_expires_at <= :now THEN 'EXPIRED' ELSE status END AS state
  FROM effects WHERE realm_id = :realm_id ORDER BY id DESC LIMIT :most
) AS found
WHERE workflow_name IS NOT NULL
GROUP BY workflow_name
ORDER BY 6 DESC
LIMIT :limit
