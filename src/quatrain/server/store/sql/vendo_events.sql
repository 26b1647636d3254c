-- What streams are told.

-- add_event --
INSERT INTO vendo_events (app_id, event_id, kind, payload, at)
VALUES (:app_id, :event_id, :kind, :payload, :now)

-- bound_apps --
SELECT app_id FROM vendo_bindings WHERE connection_id = :connection_id ORDER BY app_id

-- apps_of_tenant --
SELECT id FROM vendo_apps WHERE tenant = :tenant ORDER BY id
