-- last_pack --
SELECT sequence, chain_hash FROM velerian_packs
WHERE tenant = :tenant
ORDER BY sequence DESC
LIMIT 1

-- add_pack --
INSERT INTO velerian_packs (tenant, sequence, pack_id, abp_id, subject_id, body, body_hash,
  chain_hash, created_at)
VALUES (:tenant, :sequence, :pack_id, :abp_id, :subject_id, :body, :body_hash, :chain_hash, :now)

-- span_of_subject --
SELECT min(sequence), max(sequence), min(abp_id) FROM velerian_packs
WHERE tenant = :tenant AND subject_id = :subject_id

-- span_of_abp --
SELECT min(sequence), max(sequence) FROM velerian_packs
WHERE tenant = :tenant AND abp_id = :abp_id AND created_at >= :since

-- add_export --
INSERT INTO velerian_exports (tenant, export_id, artifact_kind, format, abp_id, first_sequence,
  last_sequence, created_at, expires_at)
VALUES (:tenant, :export_id, :artifact_kind, :format, :abp_id, :first_sequence, :last_sequence,
  :created_at, :expires_at)

-- export --
SELECT tenant, export_id, artifact_kind, format, abp_id, first_sequence, last_sequence,
  created_at, expires_at
FROM velerian_exports
WHERE export_id = :export_id

-- pack --
SELECT subject_id, chain_hash FROM velerian_packs
WHERE tenant = :tenant AND sequence = :sequence

-- packs_in_export --
SELECT count(*) FROM velerian_packs
WHERE tenant = :tenant AND sequence BETWEEN :first_sequence AND :last_sequence
  AND abp_id = :abp_id AND (:subject_id = '' OR subject_id = :subject_id)

-- links --
SELECT sequence, chain_hash, body_hash,
  CASE WHEN abp_id = :abp_id AND (:subject_id = '' OR subject_id = :subject_id) THEN body END
FROM velerian_packs
WHERE tenant = :tenant AND sequence > :after AND sequence <= :last_sequence
ORDER BY sequence
LIMIT :limit
