DROP FUNCTION IF EXISTS knowledge_search(bigint, text[], double precision[], text, halfvec, jsonb, int, text[], text[]);
DROP FUNCTION IF EXISTS knowledge_by_identifiers, unidentified_companies;
DROP INDEX documents_unidentified;
ALTER TABLE documents DROP COLUMN identified;
DROP TABLE chunk_identifiers;
