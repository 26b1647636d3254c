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
SELECT count(*), min(updated_at) FROM effects
WHERE status = 'FAILED'

-- reset --
SELECT count(*), min(updated_at) FROM effects
WHERE status = 'RESET'
