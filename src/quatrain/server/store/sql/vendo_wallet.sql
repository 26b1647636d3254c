-- A tenant's credits, its caps, and what was spent.

-- open_wallet --
-- the update changes nothing: it has the row answered, and locked, whether it was there or not
INSERT INTO vendo_wallets
  (tenant, credits_micros, currency, daily_micros, monthly_micros, updated_at)
VALUES (:tenant, :credits, :currency, NULL, NULL, :now)
ON CONFLICT (tenant) DO UPDATE SET tenant = excluded.tenant
RETURNING tenant, credits_micros, currency, daily_micros, monthly_micros

-- wallet --
SELECT tenant, credits_micros, currency, daily_micros, monthly_micros FROM vendo_wallets
WHERE tenant = :tenant

-- add_credits --
UPDATE vendo_wallets SET credits_micros = credits_micros + :micros, updated_at = :now
WHERE tenant = :tenant
RETURNING credits_micros

-- set_caps --
UPDATE vendo_wallets
SET daily_micros = :daily_micros, monthly_micros = :monthly_micros, updated_at = :now
WHERE tenant = :tenant

-- spend --
INSERT INTO vendo_spend (tenant, period, since, micros)
VALUES (:tenant, :period, :since, :micros)
ON CONFLICT (tenant, period, since) DO UPDATE SET micros = vendo_spend.micros + excluded.micros
RETURNING id, micros, warned_micros, tripped_micros

-- spent --
SELECT micros FROM vendo_spend WHERE tenant = :tenant AND period = :period AND since = :since

-- note_warned --
UPDATE vendo_spend SET warned_micros = :cap WHERE id = :id

-- note_tripped --
UPDATE vendo_spend SET tripped_micros = :cap WHERE id = :id

-- add_usage --
INSERT INTO vendo_usage (tenant, app_id, provider, action_id, micros, at)
VALUES (:tenant, :app_id, :provider, :action_id, :micros, :now)
RETURNING id

-- drop_usage --
DELETE FROM vendo_usage WHERE id = :id RETURNING micros, at

-- usage_by_provider --
-- cast: in PostgreSQL a sum of such numbers is a numeric, which is no number of JSON
SELECT provider, CAST(SUM(micros) AS BIGINT) FROM vendo_usage
WHERE tenant = :tenant AND at >= :since
GROUP BY provider ORDER BY provider
