-- beat --
UPDATE heartbeat SET at = :now WHERE id = 1

-- create_versions --
CREATE TABLE IF NOT EXISTS schema_versions (
  version     INTEGER PRIMARY KEY,
  name        TEXT NOT NULL
)

-- current_version --
SELECT coalesce(max(version), 0) FROM schema_versions

-- add_version --
INSERT INTO schema_versions (version, name) VALUES (:version, :name)
