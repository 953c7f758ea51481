-- A search costs what its own company has, however much the others have beside it.
--
-- The words' index held each word once for all companies: a search read the postings of everybody and threw most of
-- them away. Now a key is a word of one company in one language.

-- What chunks_words is over: a key for each of a chunk's words.
CREATE FUNCTION knowledge_key(company bigint, language text, lexeme text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT pg_catalog.hashtextextended(language || ' ' || lexeme, company)
$$;
CREATE FUNCTION knowledge_keys(company bigint, language text, tsv tsvector) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT SET search_path = pg_catalog, public AS $$
    SELECT ARRAY(SELECT pg_catalog.hashtextextended(language || ' ' || lexeme, company)
                 FROM unnest(tsvector_to_array(tsv)) AS lexeme)
$$;
DROP INDEX chunks_words;
CREATE INDEX chunks_words ON chunks USING gin (knowledge_keys(company_id, language, tsv)) WITH (fastupdate = off);

-- Which words choose the candidates of one language: any_of and, where even the rarest is too common, each of all_of
-- beside it. query: all words, by which the candidates are put in order: the common ones tell those apart that share
-- the same rare one.
-- The rarest ones, as many as fit the budget of postings, because those are what a search costs. Where the first alone
-- does not fit, so many stand together that chance would leave a budget of chunks.
CREATE FUNCTION knowledge_choice(keys bigint[], quoted text[], counts int[], chunks bigint, budget int,
                                 OUT any_of bigint[], OUT all_of bigint[], OUT query tsquery)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, public AS $$
DECLARE
    together double precision := 0;
    n int := 0;
BEGIN
    query := array_to_string(quoted, '|')::tsquery;
    WHILE n < cardinality(keys) AND together + counts[n + 1] <= budget LOOP
        n := n + 1;
        together := together + counts[n];
    END LOOP;
    IF n > 0 OR cardinality(keys) = 1 THEN
        n := greatest(n, 1);
        any_of := keys[1:n];
        RETURN;
    END IF;
    n := 1;
    together := counts[1];
    WHILE n + 1 < cardinality(keys) AND together * (SELECT sum(c) FROM unnest(counts[n + 1:n + 11]) c) > budget * chunks LOOP
        n := n + 1;
        together := together * counts[n] / chunks;
    END LOOP;
    all_of := keys[1:n];
    any_of := keys[n + 1:n + 11];
END $$;

CREATE OR REPLACE FUNCTION knowledge_by_words(company bigint, languages text[], lexemes text[], tells double precision[],
                                              asked boolean[], counts int[], documents bigint[], speakers text[], lim int)
RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off AS $$
DECLARE
    budget CONSTANT int := 1200;
    few boolean;
    part record;
    chosen bigint[] := '{}';
BEGIN
    few := (SELECT sum(d.chunk_count) <= 5000 FROM documents d WHERE d.company_id = company AND d.id = ANY (documents));
    FOR part IN
        WITH words AS MATERIALIZED (
            SELECT w.language, w.tells, w.chunks, w.asked, knowledge_key(company, w.language, w.lexeme) AS key,
                   '''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || '''' AS quoted
            FROM unnest(languages, lexemes, tells, asked, counts) AS w (language, lexeme, tells, asked, chunks)
            WHERE w.chunks > 0),
        several AS (SELECT EXISTS (SELECT 1 FROM words w WHERE NOT w.asked) AS history),
        placed AS (
            SELECT w.language, w.key, w.quoted, w.chunks, round.asked_only, row_number() OVER rarest AS place
            FROM several,
                 unnest(CASE WHEN several.history THEN ARRAY[true, false] ELSE ARRAY[true] END) AS round(asked_only),
                 words w
            WHERE w.asked OR NOT round.asked_only
            WINDOW rarest AS (PARTITION BY w.language, round.asked_only ORDER BY w.tells DESC, w.quoted))
        SELECT p.language, (knowledge_choice(
                   array_agg(p.key ORDER BY p.place), array_agg(p.quoted ORDER BY p.place),
                   array_agg(p.chunks ORDER BY p.place),
                   (SELECT s.chunks FROM knowledge_stats s WHERE s.company_id = company AND s.language = p.language),
                   -- How common a word is elsewhere costs nothing in a few documents.
                   CASE WHEN few THEN 2000000000 ELSE budget END)).*
        FROM placed p WHERE p.place <= 48
        GROUP BY p.language, p.asked_only
    LOOP
        IF few THEN
            chosen := chosen || ARRAY(
                SELECT c.id FROM chunks c
                WHERE c.company_id = company AND c.document_id = ANY (documents) AND c.language = part.language
                  AND c.tsv @@ part.query
                  AND (speakers IS NULL OR EXISTS (
                        SELECT 1 FROM chunk_speakers s
                        WHERE s.company_id = company AND s.chunk_id = c.id AND lower(s.speaker) = ANY (speakers)))
                ORDER BY ts_rank(c.tsv, part.query, 1) DESC, c.id LIMIT lim);
        ELSE
            -- `+ 0`: by the words, which are the company's own, and not by all that the company has. No more than five
            -- budgets: of ninety thousand chunks that share nothing but one word none is better than another.
            chosen := chosen || ARRAY(
                SELECT f.id FROM (
                    SELECT c.id, c.tsv FROM chunks c
                    WHERE knowledge_keys(c.company_id, c.language, c.tsv) && part.any_of
                      AND (part.all_of IS NULL OR knowledge_keys(c.company_id, c.language, c.tsv) @> part.all_of)
                      AND c.company_id + 0 = company AND c.language = part.language
                      AND (documents IS NULL OR c.document_id = ANY (documents))
                      AND (speakers IS NULL OR EXISTS (
                            SELECT 1 FROM chunk_speakers s
                            WHERE s.company_id = company AND s.chunk_id = c.id AND lower(s.speaker) = ANY (speakers)))
                    LIMIT 5 * budget) f
                ORDER BY ts_rank(f.tsv, part.query, 1) DESC, f.id LIMIT lim);
        END IF;
    END LOOP;
    RETURN chosen;
END $$;

CREATE OR REPLACE FUNCTION knowledge_search(company bigint, texts text[], weights double precision[], space bigint,
                                            question halfvec, wanted jsonb, lim int) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    of_documents bigint[];
    of_speakers text[];
    languages text[];
    lexemes text[];
    tells double precision[];
    means double precision[];
    asked boolean[];
    counts int[];
    candidates bigint[] := '{}';
BEGIN
    PERFORM knowledge_owned(company);
    IF wanted IS NOT NULL THEN
        PERFORM knowledge_check_filter(company, wanted);
        of_documents := knowledge_documents(company, wanted);
        of_speakers := knowledge_speakers(wanted);
    END IF;
    SELECT array_agg(w.language), array_agg(w.lexeme), array_agg(w.weight * w.idf), array_agg(w.mean_length),
           array_agg(w.asked), array_agg(w.chunks)
    INTO languages, lexemes, tells, means, asked, counts FROM knowledge_words(company, texts, weights) w;
    IF lexemes IS NOT NULL THEN
        candidates := knowledge_by_words(company, languages, lexemes, tells, asked, counts, of_documents, of_speakers,
                                         lim);
    END IF;
    IF space IS NOT NULL THEN
        candidates := candidates || knowledge_by_meaning(company, space, question, of_documents, of_speakers, lim);
    END IF;
    RETURN (
        WITH found AS MATERIALIZED (
            SELECT c.id, c.document_id, c.ordinal, c.language, c.length,
                   -- A chunk's words without those that are not the question's: three times as fast as to look at each.
                   (SELECT jsonb_object_agg(u.lexeme, u.positions)
                    FROM unnest(ts_delete(c.tsv, tsvector_to_array(ts_delete(c.tsv, lexemes)))) u) AS positions
            FROM chunks c WHERE c.company_id = company AND c.id = ANY (candidates))
        SELECT jsonb_build_object(
            'words', (SELECT coalesce(jsonb_agg(jsonb_build_array(w.language, w.lexeme, w.tells, w.mean)), '[]')
                      FROM unnest(languages, lexemes, tells, means) AS w (language, lexeme, tells, mean)),
            'chunks', (SELECT coalesce(jsonb_object_agg(s.language, s.chunks), '{}') FROM knowledge_stats s
                       WHERE s.company_id = company AND s.chunks > 0),
            'asked', (SELECT coalesce(jsonb_object_agg(s.language, (
                          SELECT coalesce(jsonb_agg(u.lexeme ORDER BY place), '[]')
                          FROM unnest(knowledge_tsvector(s.language, left(texts[1], 4096))) u, unnest(u.positions) AS place)), '{}')
                      FROM knowledge_stats s WHERE s.company_id = company AND s.chunks > 0),
            'documents', (SELECT coalesce(jsonb_object_agg(d.id, jsonb_build_array(d.title, d.kind)), '{}')
                          FROM documents d
                          WHERE d.company_id = company AND d.id = ANY (ARRAY(SELECT DISTINCT f.document_id FROM found f))),
            'cosines', (SELECT coalesce(jsonb_object_agg(e.chunk_id, 1 - (e.embedding <=> question)), '{}')
                        FROM embeddings e
                        WHERE e.company_id = company AND e.chunk_id = ANY (candidates) AND e.space_id = space),
            'candidates', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                              f.id, f.document_id, f.ordinal, f.language, f.length, f.positions)), '[]') FROM found f)));
END $$;

-- Who writes a chunk makes its keys.
GRANT EXECUTE ON FUNCTION knowledge_keys TO switchboard_app;
