-- An operator who releases a lease or resolves an effect as done takes a fence token, too. How many
-- they took, so that the others are its attempts.
ALTER TABLE effects ADD COLUMN operator_fences {int64} NOT NULL DEFAULT 0;

UPDATE effects SET operator_fences = (
  SELECT count(*) FROM effect_events
  WHERE effect_events.effect_id = effects.id
    AND effect_events.type IN ('LEASE_RELEASED', 'RESOLVED_DONE')
)
WHERE id IN (
  SELECT effect_id FROM effect_events WHERE type IN ('LEASE_RELEASED', 'RESOLVED_DONE')
);
