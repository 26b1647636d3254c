-- begin --
INSERT INTO explorer_sessions (digest, key_digest, created_at, expires_at)
VALUES (:digest, :key_digest, :now, :now + :lasts)

-- sweep --
DELETE FROM explorer_sessions WHERE expires_at <= :now

-- find --
SELECT key_digest, expires_at FROM explorer_sessions WHERE digest = :digest AND expires_at > :now

-- end --
DELETE FROM explorer_sessions WHERE digest = :digest
