-- Effects that are over are forgotten, with their audit trails. Never the newest effect, nor that of
-- the newest line: their numbers would be given out again.

-- realms --
SELECT id FROM realms ORDER BY id

-- candidates --
SELECT id, fence_token FROM effects
WHERE realm_id = :realm_id AND id > :after AND updated_at < :before AND {states}{filters}
  AND id < (SELECT max(id) FROM effects)
  AND id <> (SELECT effect_id FROM effect_events WHERE seq = (SELECT max(seq) FROM effect_events))
ORDER BY id
LIMIT :limit

-- raise_floor --
INSERT INTO fence_floors (realm_id, floor) VALUES (:realm_id, :floor)
ON CONFLICT (realm_id) DO UPDATE SET floor = excluded.floor
WHERE fence_floors.floor < excluded.floor

-- still --
-- Whether it is still over, and its fence below the floor: it may have begun again meanwhile.
SELECT count(*) FROM effects
WHERE id = :id AND updated_at < :before AND {states}
  AND fence_token <= (SELECT floor FROM fence_floors WHERE fence_floors.realm_id = effects.realm_id)

-- forget_trail --
DELETE FROM effect_events WHERE effect_id = :id

-- forget --
DELETE FROM effects WHERE id = :id
