-- Which codes, article numbers, versions and figures stand in a chunk, each as keys that are the same for every spelling
-- (shared/knowledge/identifiers.py makes them). The chunks that are there get theirs from the job
-- knowledge.find_identifiers, a few documents at a time; until then they are found by words and meaning as before.
CREATE TABLE chunk_identifiers (
    company_id bigint NOT NULL REFERENCES companies,
    key        text COLLATE "C" NOT NULL CHECK (key <> '' AND length(key) <= 64),
    chunk_id   bigint NOT NULL,
    PRIMARY KEY (company_id, key, chunk_id),
    FOREIGN KEY (company_id, chunk_id) REFERENCES chunks ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX chunk_identifiers_of_chunk ON chunk_identifiers (company_id, chunk_id);
SELECT switchboard_isolate('chunk_identifiers');
REVOKE UPDATE ON chunk_identifiers FROM switchboard_app;

-- The content whose identifiers are stored. A version of the program that knows none leaves it behind, and the document
-- is done again.
ALTER TABLE documents ADD COLUMN identified bytea;
CREATE INDEX documents_unidentified ON documents (company_id, id) WHERE identified IS DISTINCT FROM content_hash;

-- It takes identifiers from now on (functions/knowledge_search.sql); those who give none are served by the same one.
DROP FUNCTION IF EXISTS knowledge_search(bigint, text[], double precision[], text, halfvec, jsonb, int);
