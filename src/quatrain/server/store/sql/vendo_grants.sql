-- Visits to the connect page.

-- add_grant --
-- nothing when the app has used this state
INSERT INTO vendo_grants (app_id, user_id, slug, state, digest, return_to, created_at, expires_at)
VALUES (:app_id, :user_id, :slug, :state, :digest, :return_to, :now, :expires_at)
ON CONFLICT (app_id, state) DO NOTHING
RETURNING id

-- grant_of_state --
SELECT digest, slug, return_to, expires_at, completed_at
FROM vendo_grants WHERE app_id = :app_id AND state = :state

-- grant --
SELECT g.id, g.app_id, a.tenant, g.user_id, a.name, g.slug, g.state, g.return_to, g.expires_at,
  g.outcome,
  EXISTS (
    SELECT 1 FROM vendo_connections c
    WHERE c.tenant = a.tenant AND c.user_id = g.user_id AND c.slug = g.slug
      AND c.status = 'connected'
  )
FROM vendo_grants g JOIN vendo_apps a ON a.id = g.app_id
WHERE g.digest = :digest

-- complete_grant --
-- of those who decide about a visit at the same time, one
UPDATE vendo_grants SET completed_at = :now, outcome = :outcome
WHERE digest = :digest AND completed_at IS NULL AND expires_at > :now
RETURNING id
