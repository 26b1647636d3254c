-- Networks, and their runs. A claim that ends unnoticed is free again; attempts guards what is noted of
-- a run as a fence token does.

-- add_network --
INSERT INTO velerian_networks (tenant, slug, name, model_id, policy, created_at)
VALUES (:tenant, :slug, :name, :model_id, :policy, :now)
ON CONFLICT (tenant, slug) DO NOTHING
RETURNING slug, name, model_id, policy, created_at

-- get_network --
SELECT slug, name, model_id, policy, created_at
FROM velerian_networks
WHERE tenant = :tenant AND slug = :slug

-- networks_of_tenant --
SELECT slug, name, model_id, policy, created_at
FROM velerian_networks
WHERE tenant = :tenant
ORDER BY id

-- add_run --
INSERT INTO velerian_runs (
  tenant, run_id, network, user_id, prompt_text, metadata, attachment_ids, model_id, status, attempts,
  created_at
) VALUES (
  :tenant, :run_id, :network, :user_id, :prompt_text, :metadata, :attachment_ids, :model_id, 'queued',
  0, :now
)

-- get_run --
SELECT {columns}
FROM velerian_runs
WHERE tenant = :tenant AND run_id = :run_id

-- count_runs --
SELECT count(*)
FROM velerian_runs
WHERE tenant = :tenant

-- page_of_runs --
SELECT {columns}
FROM velerian_runs
WHERE tenant = :tenant
ORDER BY id
LIMIT :limit OFFSET :offset

-- newest_runs --
SELECT {columns}
FROM velerian_runs
WHERE tenant = :tenant{filters}
ORDER BY id DESC
LIMIT :limit

-- due --
SELECT id
FROM velerian_runs
WHERE status IN ('queued', 'running') AND (claimed_until IS NULL OR claimed_until <= :now)
ORDER BY id
LIMIT :limit

-- claim --
UPDATE velerian_runs SET
  status = 'running',
  attempts = attempts + 1,
  claimed_until = :now + :claim_ms,
  started_at = coalesce(started_at, :now)
WHERE id = :id
  AND status IN ('queued', 'running') AND (claimed_until IS NULL OR claimed_until <= :now)
RETURNING {columns}

-- renew --
UPDATE velerian_runs SET claimed_until = :now + :claim_ms
WHERE id = :id AND attempts = :attempt AND status = 'running'
RETURNING claimed_until

-- let_go --
UPDATE velerian_runs SET claimed_until = :now, attempts = attempts - 1
WHERE id = :id AND attempts = :attempt AND status = 'running'

-- claimed --
SELECT {columns}
FROM velerian_runs
WHERE id = :id AND attempts = :attempt AND status = 'running'

-- finish --
UPDATE velerian_runs SET
  status = :status,
  output_text = :output_text,
  governance_pass = :governance_pass,
  governance_reasons = :governance_reasons,
  error = :error,
  pack_id = :pack_id,
  claimed_until = NULL,
  finished_at = :now
WHERE id = :id
