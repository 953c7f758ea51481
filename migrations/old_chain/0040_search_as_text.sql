-- A search's answer costs a third less to write: JSON as text instead of a binary form that is made, sorted and written
-- out again, and where a chunk has the question's words as PostgreSQL writes a tsvector.

-- As in 0029, and of chunks that share common words only two budgets are put in order: on a large company those were the
-- slowest twentieth of all searches.
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
            -- `+ 0`: by the words, which are the company's own, and not by all that the company has. No more than two
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
                    LIMIT 2 * budget) f
                ORDER BY ts_rank(f.tsv, part.query, 1) DESC, f.id LIMIT lim);
        END IF;
    END LOOP;
    RETURN chosen;
END $$;

-- As in 0029; a candidate's positions: "'word':1,7 'other':3".
DROP FUNCTION knowledge_search;
CREATE FUNCTION knowledge_search(company bigint, texts text[], weights double precision[], space bigint,
                                            question halfvec, wanted jsonb, lim int) RETURNS json
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
                   ts_delete(c.tsv, tsvector_to_array(ts_delete(c.tsv, lexemes)))::text AS positions
            FROM chunks c WHERE c.company_id = company AND c.id = ANY (candidates))
        SELECT json_build_object(
            'words', (SELECT coalesce(json_agg(json_build_array(w.language, w.lexeme, w.tells, w.mean)), '[]')
                      FROM unnest(languages, lexemes, tells, means) AS w (language, lexeme, tells, mean)),
            'chunks', (SELECT coalesce(json_object_agg(s.language, s.chunks), '{}') FROM knowledge_stats s
                       WHERE s.company_id = company AND s.chunks > 0),
            'asked', (SELECT coalesce(json_object_agg(s.language, (
                          SELECT coalesce(json_agg(u.lexeme ORDER BY place), '[]')
                          FROM unnest(knowledge_tsvector(s.language, left(texts[1], 4096))) u, unnest(u.positions) AS place)), '{}')
                      FROM knowledge_stats s WHERE s.company_id = company AND s.chunks > 0),
            'documents', (SELECT coalesce(json_object_agg(d.id, json_build_array(d.title, d.kind)), '{}')
                          FROM documents d
                          WHERE d.company_id = company AND d.id = ANY (ARRAY(SELECT DISTINCT f.document_id FROM found f))),
            'cosines', (SELECT coalesce(json_object_agg(e.chunk_id, 1 - (e.embedding <=> question)), '{}')
                        FROM embeddings e
                        WHERE e.company_id = company AND e.chunk_id = ANY (candidates) AND e.space_id = space),
            'candidates', (SELECT coalesce(json_agg(json_build_array(
                              f.id, f.document_id, f.ordinal, f.language, f.length, f.positions)), '[]') FROM found f)));
END $$;
GRANT EXECUTE ON FUNCTION knowledge_search TO switchboard_app;
