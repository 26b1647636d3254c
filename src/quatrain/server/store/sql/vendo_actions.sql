-- What an action of the data proxy needs.

-- bound_status --
-- a user's own connection comes before everybody's
SELECT c.status
FROM vendo_connections c
JOIN vendo_bindings b ON b.connection_id = c.id
WHERE b.app_id = :app_id AND c.tenant = :tenant AND c.slug = :toolkit AND c.status <> 'revoked'
  AND c.user_id IN ('', :user_id)
ORDER BY c.user_id DESC LIMIT 1

-- connection --
SELECT slug, status FROM vendo_connections WHERE id = :connection_id
