-- Connections, who may use them, and their tokens.

-- bound_row --
SELECT c.id
FROM vendo_connections c
JOIN vendo_bindings b ON b.connection_id = c.id
JOIN vendo_apps a ON a.id = b.app_id
WHERE a.tenant = :tenant AND a.slug = :slug AND c.tenant = :tenant
  AND c.connection_id = :connection AND c.status <> 'revoked'
