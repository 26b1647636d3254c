-- The outbox. A claim moves next_attempt_at to its own end: a row whose claimer died is due again by
-- itself, and what is due is found by one index. attempts guards the settling as a fence token does.

-- add_endpoint --
INSERT INTO webhook_endpoints (extension_id, url, events, secret, created_at)
VALUES (:extension_id, :url, :events, :secret, :now)
RETURNING id, extension_id, url, events, secret, created_at, removed_at

-- replace_endpoint --
UPDATE webhook_endpoints SET events = :events, secret = :secret
WHERE id = (
  SELECT min(id) FROM webhook_endpoints
  WHERE extension_id = :extension_id AND url = :url AND removed_at IS NULL
)
RETURNING id, extension_id, url, events, secret, created_at, removed_at

-- get_endpoint --
SELECT id, extension_id, url, events, secret, created_at, removed_at
FROM webhook_endpoints
WHERE id = :endpoint_id

-- endpoints_of_account --
SELECT webhook_endpoints.id, extension_id, url, events, secret, webhook_endpoints.created_at,
  removed_at
FROM webhook_endpoints JOIN velocity_extensions ON velocity_extensions.id = extension_id
WHERE account_id = :account_id
ORDER BY webhook_endpoints.id

-- remove_endpoint --
UPDATE webhook_endpoints SET removed_at = coalesce(removed_at, :now)
WHERE id = :endpoint_id
  AND extension_id IN (SELECT id FROM velocity_extensions WHERE account_id = :account_id)
RETURNING id, extension_id, url, events, secret, created_at, removed_at

-- cancel_deliveries --
UPDATE webhook_deliveries SET
  status = 'CANCELLED', next_attempt_at = NULL, claimed_until = NULL
WHERE endpoint_id = :endpoint_id AND status = 'PENDING'

-- add --
INSERT INTO webhook_deliveries (
  delivery_id, endpoint_id, event_type, payload, status, attempts, tries_left, next_attempt_at,
  created_at
) VALUES (:delivery_id, :endpoint_id, :event_type, :payload, 'PENDING', 0, :tries, :now, :now)

-- forget_oldest --
-- The first rows are the oldest: nothing is searched for. What waits is never that old.
DELETE FROM webhook_deliveries
WHERE id IN (SELECT id FROM webhook_deliveries ORDER BY id LIMIT 2)
  AND status <> 'PENDING' AND created_at < :before

-- first_of_each_endpoint --
-- One look into the index an endpoint, however much waits for it.
SELECT endpoint_id, due FROM (
  SELECT webhook_endpoints.id AS endpoint_id, (
    SELECT min(next_attempt_at) FROM webhook_deliveries
    WHERE webhook_deliveries.endpoint_id = webhook_endpoints.id AND status = 'PENDING'
  ) AS due
  FROM webhook_endpoints
  WHERE removed_at IS NULL
) AS firsts
WHERE due IS NOT NULL

-- due --
SELECT id, next_attempt_at
FROM webhook_deliveries
WHERE endpoint_id = :endpoint_id AND status = 'PENDING' AND next_attempt_at <= :now
ORDER BY next_attempt_at, id
LIMIT :limit

-- claim --
UPDATE webhook_deliveries SET
  attempts = attempts + 1,
  claimed_until = :now + :claim_ms,
  next_attempt_at = :now + :claim_ms
WHERE id = :id AND status = 'PENDING' AND next_attempt_at <= :now
RETURNING id, delivery_id, endpoint_id, event_type, payload, attempts, claimed_until

-- tries_of_claimed --
SELECT tries_left
FROM webhook_deliveries
WHERE id = :id AND attempts = :attempt AND status = 'PENDING' AND claimed_until IS NOT NULL

-- settle --
UPDATE webhook_deliveries SET
  status = :status,
  tries_left = tries_left - 1,
  next_attempt_at = :next_attempt_at,
  claimed_until = NULL,
  delivered_at = :delivered_at,
  last_status = :last_status,
  last_error = :last_error
WHERE id = :id

-- resend --
-- An attempt under way goes on, and counts: nothing is sent twice at a time.
UPDATE webhook_deliveries SET
  status = 'PENDING',
  tries_left = :tries,
  next_attempt_at = CASE WHEN claimed_until > :now THEN claimed_until ELSE :now END,
  claimed_until = CASE WHEN claimed_until > :now THEN claimed_until END,
  delivered_at = NULL
WHERE id = :id

-- get --
SELECT {columns}
FROM webhook_deliveries
WHERE delivery_id = :delivery_id AND endpoint_id IN (
  SELECT webhook_endpoints.id
  FROM webhook_endpoints JOIN velocity_extensions ON velocity_extensions.id = extension_id
  WHERE account_id = :account_id
)

-- newest --
-- Of one endpoint. Ids alone: of all endpoints' newest only a page is shown.
SELECT id
FROM webhook_deliveries
WHERE endpoint_id = :endpoint_id{filters}
ORDER BY id DESC
LIMIT :limit

-- delivery --
SELECT {columns} FROM webhook_deliveries WHERE id = :id
