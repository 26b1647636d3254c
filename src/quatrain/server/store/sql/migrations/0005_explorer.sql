-- Who is signed in to the Explorer. Of both the session's token and the key there are hashes only;
-- what a session may see and do is looked up by its key's, so that a revoked key ends it.
CREATE TABLE explorer_sessions (
  digest      {bytes} PRIMARY KEY,
  key_digest  {bytes} NOT NULL,
  created_at  {int64} NOT NULL,
  expires_at  {int64} NOT NULL
);

CREATE INDEX explorer_sessions_over ON explorer_sessions (expires_at);

-- A page of the Explorer's list begins anywhere in these. What few effects are in has an index that
-- few rows are in: it costs an effect that is settled nothing to be found among.
CREATE INDEX effects_running ON effects (realm_id, id) WHERE status = 'RUNNING';

CREATE INDEX effects_reset ON effects (realm_id, id) WHERE status = 'RESET';

CREATE INDEX effects_of_namespace ON effects (realm_id, namespace, id);

CREATE INDEX effects_of_workflow ON effects (realm_id, workflow_name, id) WHERE workflow_name IS NOT NULL;
