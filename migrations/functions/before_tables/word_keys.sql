-- What the words' index `chunks_words` is over. A change of what these return needs a numbered migration that rebuilds
-- it.
--
-- A search costs what its own company has, however much the others have beside it: a key is a word of one company in
-- one language. With a key for each word of all companies together, a search read the postings of everybody and threw
-- most of them away.

-- What chunks_words is over: a key for each of a chunk's words.
CREATE OR REPLACE FUNCTION knowledge_key(company bigint, language text, lexeme text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT pg_catalog.hashtextextended(language || ' ' || lexeme, company)
$$;

-- All keys of a chunk. Who writes a chunk makes its keys, so the application role may execute it.
CREATE OR REPLACE FUNCTION knowledge_keys(company bigint, language text, tsv tsvector) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT ARRAY(SELECT pg_catalog.hashtextextended(language || ' ' || lexeme, company)
                 FROM unnest(tsvector_to_array(tsv)) AS lexeme)
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION knowledge_key, knowledge_keys FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION knowledge_keys TO switchboard_app;
