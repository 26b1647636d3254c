-- What streams are told.

-- add_event --
INSERT INTO vendo_events (app_id, user_id, event_id, kind, payload, at)
VALUES (:app_id, :user_id, :event_id, :kind, :payload, :now)

-- bound_apps --
SELECT app_id FROM vendo_bindings WHERE connection_id = :connection_id ORDER BY app_id

-- apps_of_tenant --
SELECT id FROM vendo_apps WHERE tenant = :tenant ORDER BY id

-- newest_of_app --
SELECT COALESCE(MAX(id), 0) FROM vendo_events WHERE app_id = :app_id

-- first_replayed --
SELECT MIN(id) FROM (
  SELECT id FROM vendo_events
  WHERE app_id = :app_id AND id > :after AND (:user_id = '' OR user_id IN (:user_id, ''))
  ORDER BY id DESC LIMIT :limit
) AS replayed

-- from --
SELECT id, kind, payload, user_id FROM vendo_events
WHERE app_id = :app_id AND id >= :position
ORDER BY id LIMIT :limit

-- apps --
SELECT id FROM vendo_apps ORDER BY id

-- newest_but --
SELECT id FROM vendo_events WHERE app_id = :app_id ORDER BY id DESC LIMIT 1 OFFSET :others

-- forget --
-- of the oldest few, so that it takes the same short time however many there are
DELETE FROM vendo_events WHERE id IN (
  SELECT id FROM (
    SELECT id, at FROM vendo_events
    WHERE app_id = :app_id AND id < :kept
    ORDER BY id LIMIT :limit
  ) AS oldest
  WHERE at <= :expired OR id < :most
)
