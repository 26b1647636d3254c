-- Effects that are over are forgotten, with their audit trails. Never the newest effect, nor that of
-- the newest line: their numbers would be given out again.

-- realms --
SELECT id FROM realms ORDER BY id

-- candidates --
SELECT id, fence_token FROM effects
WHERE realm_id = :realm_id AND id > :after AND {over}
  AND id < (SELECT max(id) FROM effects)
  AND id <> (SELECT effect_id FROM effect_events WHERE seq = (SELECT max(seq) FROM effect_events))
ORDER BY id
LIMIT :limit

-- raise_floor --
INSERT INTO fence_floors (realm_id, floor) VALUES (:realm_id, :floor)
ON CONFLICT (realm_id) DO UPDATE SET floor = excluded.floor
WHERE fence_floors.floor < excluded.floor

-- forget_trails --
-- And the same again of the effects: what stays of the one stays of the other.
DELETE FROM effect_events WHERE effect_id IN (
  SELECT id FROM effects
  WHERE realm_id = :realm_id AND id > :after AND id <= :last AND {over}
    AND fence_token <= (SELECT floor FROM fence_floors WHERE realm_id = :realm_id)
    AND id <> (SELECT effect_id FROM effect_events WHERE seq = (SELECT max(seq) FROM effect_events))
)

-- forget --
DELETE FROM effects
WHERE realm_id = :realm_id AND id > :after AND id <= :last AND {over}
  AND fence_token <= (SELECT floor FROM fence_floors WHERE realm_id = :realm_id)
  AND id <> (SELECT effect_id FROM effect_events WHERE seq = (SELECT max(seq) FROM effect_events))
