-- Names that say what they name: an embedding space is an embedding model with the vectors that it made, a company's
-- graph is its vector index. Vectors and indexes stay as they are; nothing is embedded or built again.

-- Functions whose names, arguments or results change: migrations/functions/ has them under the new names.
DROP FUNCTION IF EXISTS
    embedding_space_made, embedding_space, indexing_queued, claim_indexing, knowledge_graph, knowledge_list,
    knowledge_by_meaning, knowledge_nearest, operations_spaces;

ALTER TABLE embedding_spaces RENAME TO embedding_models;
ALTER TABLE embedding_models RENAME COLUMN model TO name;
ALTER SEQUENCE embedding_spaces_id_seq RENAME TO embedding_models_id_seq;
ALTER INDEX embedding_spaces_one_active RENAME TO embedding_models_one_active;
ALTER TABLE embeddings RENAME COLUMN space_id TO model_id;
ALTER TABLE indexing RENAME COLUMN space_id TO model_id;
ALTER TABLE receipts RENAME COLUMN space TO embedding_model;

-- Each company's index: embeddings_graph_SPACE_COMPANY becomes embeddings_hnsw_MODEL_COMPANY. The job that builds them
-- finds them by name.
DO $$
DECLARE
    found text;
BEGIN
    FOR found IN
        SELECT c.relname
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relkind = 'i'
          AND c.relname ~ '^embeddings_graph_[0-9]+_[0-9]+(_new|_old)?$'
    LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', found, replace(found, '_graph_', '_hnsw_'));
    END LOOP;
END $$;

-- PostgreSQL named the constraints after the table and its columns. Those that a partition inherits follow their parent.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT
            c.conrelid::regclass AS of_table,
            c.conname,
            replace(
                replace(replace(c.conname, 'embedding_spaces_model_', 'embedding_models_name_'),
                        'embedding_spaces_', 'embedding_models_'),
                'space_id', 'model_id') AS new_name
        FROM pg_constraint c
        WHERE c.connamespace = 'public'::regnamespace
          AND (starts_with(c.conname, 'embedding_spaces_') OR c.conname ~ '^(embeddings|indexing).*_space_id_')
          AND (c.coninhcount = 0 OR c.contype = 'f')
    LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', found.of_table, found.conname, found.new_name);
    END LOOP;
END $$;

-- A standing alert goes on under its new key, so that nobody is told that it is over and began.
UPDATE alerts SET key = 'embedding_models' || substr(key, length('spaces') + 1) WHERE starts_with(key, 'spaces.');

-- An archived receipt is a JSON object with the columns as keys, and comes back by their names; 0002 renamed `ladder`.
UPDATE archive_segments s
SET body = (
    SELECT json_agg(
        (e.receipt - 'space' - 'ladder')
        || jsonb_build_object('embedding_model', e.receipt->'space')
        || CASE WHEN e.receipt ? 'ladder' THEN jsonb_build_object('fallback_steps', e.receipt->'ladder') ELSE '{}' END
        ORDER BY e.place)
    FROM jsonb_array_elements(s.body::jsonb) WITH ORDINALITY AS e (receipt, place)
)
WHERE s.kind = 'receipts'
  AND s.rows > 0;
