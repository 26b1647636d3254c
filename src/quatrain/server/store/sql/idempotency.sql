-- find_answer --
SELECT fingerprint, answer FROM idempotency_keys
WHERE caller = :caller AND key = :key AND created_at > :expired

-- keep_answer --
INSERT INTO idempotency_keys (caller, key, fingerprint, answer, created_at)
VALUES (:caller, :key, :fingerprint, :answer, :now)
ON CONFLICT (caller, key) DO UPDATE SET
  fingerprint = excluded.fingerprint,
  answer = excluded.answer,
  created_at = excluded.created_at

-- forget_expired --
DELETE FROM idempotency_keys WHERE id IN (
  SELECT id FROM idempotency_keys WHERE created_at <= :expired ORDER BY created_at LIMIT :limit
)
