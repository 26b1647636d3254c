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
