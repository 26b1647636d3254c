-- An effect that was pruned may come again, and must then get no fence token that it had before: new
-- effects of the realm begin above the highest one that any pruned effect had.
CREATE TABLE fence_floors (
  realm_id  {int64} PRIMARY KEY REFERENCES realms (id),
  floor     {int64} NOT NULL
);

-- The token of an effect's first grant: one above the floor of that time.
ALTER TABLE effects ADD COLUMN first_fence {int64} NOT NULL DEFAULT 1;
