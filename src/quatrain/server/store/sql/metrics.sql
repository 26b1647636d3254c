-- How many effects are in which state, over all realms. What is not settled is little, and has
-- indexes of its own; what is committed is the rest.

-- all --
SELECT count(*) FROM effects

-- running --
SELECT count(*), min(created_at) FROM effects
WHERE status = 'RUNNING' AND lease_expires_at > :now

-- expired --
SELECT count(*), min(lease_expires_at) FROM effects
WHERE status = 'RUNNING' AND lease_expires_at <= :now

-- failed --
-- In one go through the index of what has failed: a planner that is asked for the first alone may
-- look for it among all effects.
SELECT found.number, effects.updated_at
FROM (
  SELECT count(*) AS number, min(id) AS first FROM effects WHERE status = 'FAILED'
) AS found
LEFT JOIN effects ON effects.id = found.first

-- reset --
SELECT count(*), min(updated_at) FROM effects
WHERE status = 'RESET'
