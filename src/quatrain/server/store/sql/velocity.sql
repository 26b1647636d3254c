-- ensure_account --
INSERT INTO velocity_accounts (tenant, email, name, tier, venture_id, profile, created_at)
VALUES (:tenant, :email, :name, :tier, :venture_id, :profile, :now)
ON CONFLICT (tenant) DO NOTHING

-- account_of --
SELECT id, tenant, email, name, tier, venture_id, profile, created_at
FROM velocity_accounts
WHERE tenant = :tenant

-- account --
SELECT id, tenant, email, name, tier, venture_id, profile, created_at
FROM velocity_accounts
WHERE id = :account_id

-- set_tier --
UPDATE velocity_accounts SET tier = :tier WHERE id = :account_id

-- introduce --
UPDATE velocity_accounts SET
  email = CASE WHEN email = :old_email THEN :email ELSE email END,
  name = CASE WHEN name = :old_name THEN :name ELSE name END,
  tier = CASE WHEN tier = :old_tier THEN :tier ELSE tier END,
  profile = CASE WHEN profile = :old_profile THEN :profile ELSE profile END
WHERE id = :account_id

-- has_data --
SELECT
  EXISTS (SELECT 1 FROM velocity_modules WHERE account_id = :account_id)
  OR EXISTS (SELECT 1 FROM velocity_offers WHERE account_id = :account_id)
  OR EXISTS (SELECT 1 FROM velocity_team WHERE account_id = :account_id)
  OR EXISTS (SELECT 1 FROM velocity_partnerships WHERE account_id = :account_id)
  OR EXISTS (SELECT 1 FROM velocity_tasks WHERE account_id = :account_id)
  OR EXISTS (SELECT 1 FROM velocity_programs WHERE account_id = :account_id)

-- modules --
SELECT code, status, output, completed_at FROM velocity_modules
WHERE account_id = :account_id
ORDER BY id

-- module --
SELECT code, status, output, completed_at FROM velocity_modules
WHERE account_id = :account_id AND code = :code

-- put_module --
INSERT INTO velocity_modules (account_id, code, status, output, completed_at)
VALUES (:account_id, :code, :status, :output, :completed_at)
ON CONFLICT (account_id, code) DO UPDATE SET
  status = excluded.status,
  output = excluded.output,
  completed_at = excluded.completed_at

-- offers --
SELECT offer_id, name, status, c3_output, created_at, updated_at FROM velocity_offers
WHERE account_id = :account_id
ORDER BY id

-- add_offer --
INSERT INTO velocity_offers (account_id, offer_id, name, status, c3_output, created_at, updated_at)
VALUES (:account_id, :offer_id, :name, :status, :c3_output, :created_at, :updated_at)

-- team --
SELECT name, role, email FROM velocity_team
WHERE account_id = :account_id
ORDER BY id

-- add_member --
INSERT INTO velocity_team (account_id, name, role, email, created_at)
VALUES (:account_id, :name, :role, :email, :now)

-- partnerships --
SELECT name, type, contact FROM velocity_partnerships
WHERE account_id = :account_id
ORDER BY id

-- add_partnership --
INSERT INTO velocity_partnerships (account_id, name, type, contact)
VALUES (:account_id, :name, :type, :contact)

-- tasks --
SELECT id, module_source, action, category, timeframe, quadrant, assignee, deadline, created_at,
  updated_at, completed_at
FROM velocity_tasks
WHERE account_id = :account_id
ORDER BY id

-- task --
SELECT id, module_source, action, category, timeframe, quadrant, assignee, deadline, created_at,
  updated_at, completed_at
FROM velocity_tasks
WHERE account_id = :account_id AND id = :id

-- add_task --
INSERT INTO velocity_tasks (account_id, module_source, action, category, timeframe, quadrant,
  assignee, deadline, created_at, updated_at, completed_at)
VALUES (:account_id, :module_source, :action, :category, :timeframe, :quadrant, :assignee,
  :deadline, :created_at, :updated_at, :completed_at)
RETURNING id

-- change_task --
UPDATE velocity_tasks SET
  module_source = :module_source,
  action = :action,
  category = :category,
  timeframe = :timeframe,
  quadrant = :quadrant,
  assignee = :assignee,
  deadline = :deadline,
  updated_at = :updated_at,
  completed_at = :completed_at
WHERE account_id = :account_id AND id = :id

-- programs --
SELECT velocity_programs.id, velocity_programs.name, description, status,
  velocity_programs.created_at
FROM velocity_programs JOIN velocity_accounts ON velocity_accounts.id = account_id
WHERE account_id = :account_id AND tier = :tier
ORDER BY velocity_programs.id

-- add_program --
INSERT INTO velocity_programs (account_id, name, description, status, created_at)
VALUES (:account_id, :name, :description, :status, :created_at)

-- fact --
SELECT value FROM facts WHERE name = :name

-- add_fact --
INSERT INTO facts (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO NOTHING
RETURNING name

-- extension --
SELECT id, slug, name, developer, created_at FROM velocity_extensions
WHERE account_id = :account_id AND slug = :slug

-- extensions --
SELECT id, slug, name, developer, created_at FROM velocity_extensions
WHERE account_id = :account_id
ORDER BY id

-- ensure_extension --
INSERT INTO velocity_extensions (account_id, slug, name, developer, created_at)
VALUES (:account_id, :slug, :new_name, :new_developer, :now)
ON CONFLICT (account_id, slug) DO UPDATE SET
  name = coalesce(:name, velocity_extensions.name),
  developer = coalesce(:developer, velocity_extensions.developer)
RETURNING id

-- add_install --
INSERT INTO velocity_installs (extension_id, hint, digest, scopes, sandbox, created_at)
VALUES (:extension_id, :hint, :digest, :scopes, :sandbox, :now)
RETURNING id

-- keyless_install --
SELECT id FROM velocity_installs
WHERE extension_id = :extension_id AND hint = '' AND scopes = :scopes AND revoked_at IS NULL
ORDER BY id
LIMIT 1

-- install --
SELECT velocity_installs.id, extension_id, slug, name, developer, hint, scopes, sandbox,
  velocity_installs.created_at, last_used_at, revoked_at
FROM velocity_installs
JOIN velocity_extensions ON velocity_extensions.id = velocity_installs.extension_id
WHERE account_id = :account_id AND velocity_installs.id = :id

-- installs --
SELECT velocity_installs.id, extension_id, slug, name, developer, hint, scopes, sandbox,
  velocity_installs.created_at, last_used_at, revoked_at
FROM velocity_installs
JOIN velocity_extensions ON velocity_extensions.id = velocity_installs.extension_id
WHERE account_id = :account_id
ORDER BY velocity_installs.id

-- revoke_install --
UPDATE velocity_installs SET revoked_at = :now
WHERE id = :id AND revoked_at IS NULL AND extension_id IN (
  SELECT id FROM velocity_extensions WHERE account_id = :account_id
)
RETURNING id

-- touch_install --
UPDATE velocity_installs SET last_used_at = :now WHERE id = :id

-- find_install --
SELECT velocity_installs.id, last_used_at, digest, scopes, sandbox, extension_id, slug,
  velocity_extensions.name, developer, account_id, tenant, venture_id
FROM velocity_installs
JOIN velocity_extensions ON velocity_extensions.id = velocity_installs.extension_id
JOIN velocity_accounts ON velocity_accounts.id = velocity_extensions.account_id
WHERE digest = :digest AND revoked_at IS NULL

-- caller --
SELECT velocity_installs.id, last_used_at, digest, scopes, sandbox, extension_id, slug,
  velocity_extensions.name, developer, account_id, tenant, venture_id
FROM velocity_installs
JOIN velocity_extensions ON velocity_extensions.id = velocity_installs.extension_id
JOIN velocity_accounts ON velocity_accounts.id = velocity_extensions.account_id
WHERE velocity_installs.id = :id

-- endpoints_of_account --
SELECT webhook_endpoints.id
FROM webhook_endpoints
JOIN velocity_extensions ON velocity_extensions.id = webhook_endpoints.extension_id
WHERE account_id = :account_id
  AND removed_at IS NULL
  AND (events = '*' OR ' ' || events || ' ' LIKE '% ' || :event || ' %')
  AND EXISTS (
    SELECT 1 FROM velocity_installs
    WHERE velocity_installs.extension_id = velocity_extensions.id
      AND revoked_at IS NULL
      AND sandbox <= :sandbox
      AND ' ' || scopes || ' ' LIKE '% ' || :scope || ' %'
  )
ORDER BY webhook_endpoints.id

-- endpoints_of_extension --
SELECT id FROM webhook_endpoints
WHERE extension_id = :extension_id
  AND removed_at IS NULL
  AND (events = '*' OR ' ' || events || ' ' LIKE '% ' || :event || ' %')
ORDER BY id
