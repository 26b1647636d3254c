-- The audit trail of many effects, for who checks all of it.

-- page --
-- Effect by effect in the order of their ids, each one's lines oldest first; an effect without any
-- line comes once. A page begins behind the last line of the page before. That the lines' effects are
-- beyond the first one's, too, follows from the rest; but who merges both begins there with both.
SELECT effects.id, effects.namespace, effects.effect_key,
  CASE WHEN status = 'RUNNING' AND lease_expires_at <= :now THEN 'EXPIRED' ELSE status END,
  effects.fence_token, effect_events.seq, effect_events.type, effect_events.at,
  effect_events.fence_token, effect_events.agent_id, effect_events.run_id, effect_events.detail
FROM effects LEFT JOIN effect_events
  ON effect_events.effect_id = effects.id AND effect_events.effect_id >= :effect_id
WHERE effects.realm_id = :realm_id AND effects.id >= :effect_id{filters}
  AND (effects.id > :effect_id OR effect_events.seq > :seq)
ORDER BY effects.id, effect_events.seq
LIMIT :limit
