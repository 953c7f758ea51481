DROP FUNCTION IF EXISTS
    add_embedding_model, ensure_embedding_model, indexing_queued, claim_indexing, knowledge_has_vector_index,
    knowledge_list, knowledge_by_meaning, knowledge_nearest, operations_embedding_models;

ALTER TABLE embedding_models RENAME COLUMN name TO model;
ALTER TABLE embedding_models RENAME TO embedding_spaces;
ALTER SEQUENCE embedding_models_id_seq RENAME TO embedding_spaces_id_seq;
ALTER INDEX embedding_models_one_active RENAME TO embedding_spaces_one_active;
ALTER TABLE embeddings RENAME COLUMN model_id TO space_id;
ALTER TABLE indexing RENAME COLUMN model_id TO space_id;
ALTER TABLE receipts RENAME COLUMN embedding_model TO space;

DO $$
DECLARE
    found text;
BEGIN
    FOR found IN
        SELECT c.relname
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relkind = 'i'
          AND c.relname ~ '^embeddings_hnsw_[0-9]+_[0-9]+(_new|_old)?$'
    LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', found, replace(found, '_hnsw_', '_graph_'));
    END LOOP;
END $$;

DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT
            c.conrelid::regclass AS of_table,
            c.conname,
            replace(
                replace(replace(c.conname, 'embedding_models_name_', 'embedding_spaces_model_'),
                        'embedding_models_', 'embedding_spaces_'),
                'model_id', 'space_id') AS new_name
        FROM pg_constraint c
        WHERE c.connamespace = 'public'::regnamespace
          AND (starts_with(c.conname, 'embedding_models_') OR c.conname ~ '^(embeddings|indexing).*_model_id_')
          AND (c.coninhcount = 0 OR c.contype = 'f')
    LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', found.of_table, found.conname, found.new_name);
    END LOOP;
END $$;

UPDATE alerts SET key = 'spaces' || substr(key, length('embedding_models') + 1)
WHERE starts_with(key, 'embedding_models.');

UPDATE archive_segments s
SET body = (
    SELECT json_agg((e.receipt - 'embedding_model') || jsonb_build_object('space', e.receipt->'embedding_model')
                    ORDER BY e.place)
    FROM jsonb_array_elements(s.body::jsonb) WITH ORDINALITY AS e (receipt, place)
)
WHERE s.kind = 'receipts'
  AND s.rows > 0;
