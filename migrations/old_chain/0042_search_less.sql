-- A search looks at less and plans once: half as many chunks that share common words, a shorter list where a graph has
-- more links, the positions of a candidate's words without taking its tsvector to pieces, its cosine beside it; and
-- statements whose way does not depend on what is asked have one plan a connection.

-- As in 0029, but where a company's words are all common fewer of them are read: those beside the ones that stand together
-- have no more than a hundred thousand postings, because reading half of a company's is what the slowest searches did.
CREATE OR REPLACE FUNCTION knowledge_choice(keys bigint[], quoted text[], counts int[], chunks bigint, budget int,
                                            OUT any_of bigint[], OUT all_of bigint[], OUT query tsquery)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, public AS $$
DECLARE
    postings CONSTANT int := 100000;
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
    n := n + 1;
    any_of := keys[n:n];
    together := counts[n];
    WHILE n < cardinality(keys) AND cardinality(any_of) < 11 AND together + counts[n + 1] <= postings LOOP
        n := n + 1;
        any_of := any_of || keys[n];
        together := together + counts[n];
    END LOOP;
END $$;

-- As in 0040, with one budget of chunks that share common words. Of the scores of the ten best by BM25 in a company of
-- 500,000 that is 93.6 % instead of 93.7 %, with fewer words read 92.1 %.
CREATE OR REPLACE FUNCTION knowledge_by_words(company bigint, languages text[], lexemes text[], tells double precision[],
                                              asked boolean[], counts int[], documents bigint[], speakers text[], lim int)
RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public SET plan_cache_mode = force_generic_plan
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
        ELSIF part.all_of IS NULL THEN
            -- `+ 0`: by the words, which are the company's own, and not by all that the company has. No more than a
            -- budget: of ninety thousand chunks that share nothing but one word none is better than another.
            chosen := chosen || ARRAY(
                SELECT f.id FROM (
                    SELECT c.id, c.tsv FROM chunks c
                    WHERE knowledge_keys(c.company_id, c.language, c.tsv) && part.any_of
                      AND c.company_id + 0 = company AND c.language = part.language
                      AND (documents IS NULL OR c.document_id = ANY (documents))
                      AND (speakers IS NULL OR EXISTS (
                            SELECT 1 FROM chunk_speakers s
                            WHERE s.company_id = company AND s.chunk_id = c.id AND lower(s.speaker) = ANY (speakers)))
                    LIMIT budget) f
                ORDER BY ts_rank(f.tsv, part.query, 1) DESC, f.id LIMIT lim);
        ELSE
            -- A statement of its own: in one plan for both, `all_of IS NULL OR …` would be no condition of the index.
            chosen := chosen || ARRAY(
                SELECT f.id FROM (
                    SELECT c.id, c.tsv FROM chunks c
                    WHERE knowledge_keys(c.company_id, c.language, c.tsv) && part.any_of
                      AND knowledge_keys(c.company_id, c.language, c.tsv) @> part.all_of
                      AND c.company_id + 0 = company AND c.language = part.language
                      AND (documents IS NULL OR c.document_id = ANY (documents))
                      AND (speakers IS NULL OR EXISTS (
                            SELECT 1 FROM chunk_speakers s
                            WHERE s.company_id = company AND s.chunk_id = c.id AND lower(s.speaker) = ANY (speakers)))
                    LIMIT budget) f
                ORDER BY ts_rank(f.tsv, part.query, 1) DESC, f.id LIMIT lim);
        END IF;
    END LOOP;
    RETURN chosen;
END $$;

-- As in 0040, asked for a space by its model's name: null, or one that there is none of, searches by words alone. A
-- candidate has its cosine behind its positions, which are marked with an A: "'word':1A,7A 'other':3A".
DROP FUNCTION knowledge_search;
CREATE FUNCTION knowledge_search(company bigint, texts text[], weights double precision[], of_model text,
                                            question halfvec, wanted jsonb, lim int) RETURNS json
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    space bigint;
    of_documents bigint[];
    of_speakers text[];
    languages text[];
    lexemes text[];
    tells double precision[];
    means double precision[];
    asked boolean[];
    counts int[];
    candidates bigint[] := '{}';
    near bigint[] := '{}';
    far double precision[] := '{}';
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
    SELECT s.id INTO space FROM embedding_spaces s
    WHERE s.model = of_model AND s.dimension = vector_dims(question) AND s.state <> 'dropping';
    IF space IS NOT NULL THEN
        SELECT m.near, m.far INTO near, far
        FROM knowledge_by_meaning(company, space, question, of_documents, of_speakers, lim, false) m;
        candidates := candidates || near;
    END IF;
    RETURN (
        WITH found AS MATERIALIZED (
            SELECT c.id, c.document_id, c.ordinal, c.language, c.length,
                   -- A chunk's words without those that are not the question's: no word is made a value of its own.
                   ts_filter(setweight(c.tsv, 'A', lexemes), '{a}')::text AS positions,
                   1 - coalesce(far[array_position(near, c.id)], (
                       SELECT e.embedding <=> question FROM embeddings e
                       WHERE e.company_id = company AND e.chunk_id = c.id AND e.space_id = space)) AS cosine
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
            'candidates', (SELECT coalesce(json_agg(json_build_array(
                              f.id, f.document_id, f.ordinal, f.language, f.length, f.positions, f.cosine)), '[]') FROM found f)));
END $$;
GRANT EXECUTE ON FUNCTION knowledge_search TO switchboard_app;

-- How long a graph's list is: by its links (shared/store/graphs.py) and by the size of the company, or longer where an
-- audit found too little. With 24 links, looked for longer, 160 find what 400 do with 16, in three quarters of the time.
DROP FUNCTION knowledge_list(bigint, bigint);
CREATE FUNCTION knowledge_list(company bigint, space bigint, chunks bigint) RETURNS int
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT greatest(
        CASE WHEN (SELECT g.reloptions @> '{m=24}' FROM pg_class g
                   WHERE g.oid = to_regclass(format('public.embeddings_graph_%s_%s', space, company)))
             THEN CASE WHEN chunks < 200000 THEN 120 ELSE 160 END
             ELSE CASE WHEN chunks < 200000 THEN 200 ELSE 400 END END,
        (SELECT a.ef_search FROM recall_audits a WHERE a.company_id = company))
$$;
GRANT EXECUTE ON FUNCTION knowledge_list TO switchboard_app;

-- As in 0038, with that list, and with how far each chunk is: 1 - cosine.
DROP FUNCTION knowledge_by_meaning;
CREATE FUNCTION knowledge_by_meaning(company bigint, space bigint, question halfvec, documents bigint[], speakers text[],
                                     lim int, exact boolean, OUT near bigint[], OUT far double precision[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    total bigint;
    there bigint;
BEGIN
    IF NOT exact AND knowledge_graph(company, space) THEN
        SELECT coalesce(sum(s.chunks), 0) INTO total FROM knowledge_stats s WHERE s.company_id = company;
        IF documents IS NULL THEN
            there := total;
        ELSE
            SELECT coalesce(sum(d.chunk_count), 0) INTO there FROM documents d
            WHERE d.company_id = company AND d.id = ANY (documents);
        END IF;
        exact := documents IS NOT NULL AND (there < 5000 OR there * there < 200 * total);
    ELSE
        exact := true;
    END IF;
    IF NOT exact THEN
        PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true),
                set_config('hnsw.ef_search', knowledge_list(company, space, total)::text, true);
        -- Literals, by which the planner knows the graph. It has no other way: sorting would be one.
        PERFORM set_config('enable_sort', 'off', true);
        EXECUTE format(
            'SELECT array_agg(n.chunk_id), array_agg(n.far) FROM ('
            ' SELECT e.chunk_id, e.embedding::halfvec(%3$s) <=> $1::halfvec(%3$s) AS far FROM embeddings e'
            ' WHERE e.company_id = %1$s AND e.space_id = %2$s'
            || CASE WHEN documents IS NULL THEN '' ELSE
               ' AND EXISTS (SELECT 1 FROM chunks c WHERE c.company_id = %1$s AND c.id = e.chunk_id'
               ' AND c.document_id = ANY ($3))' END
            || CASE WHEN speakers IS NULL THEN '' ELSE
               ' AND EXISTS (SELECT 1 FROM chunk_speakers s WHERE s.company_id = %1$s AND s.chunk_id = e.chunk_id'
               ' AND lower(s.speaker) = ANY ($4))' END
            || ' ORDER BY e.embedding::halfvec(%3$s) <=> $1::halfvec(%3$s) LIMIT $2) n',
            company, space, vector_dims(question)) INTO near, far USING question, lim, documents, speakers;
        PERFORM set_config('enable_sort', 'on', true);
    END IF;
    IF coalesce(cardinality(near), 0) < lim THEN
        -- `+ 0`: not by the graph.
        IF documents IS NULL AND speakers IS NULL THEN
            SELECT array_agg(n.chunk_id), array_agg(n.far) INTO near, far FROM (
                SELECT e.chunk_id, (e.embedding <=> question) + 0 AS far FROM embeddings e
                WHERE e.company_id = company AND e.space_id = space ORDER BY 2, 1 LIMIT lim) n;
        ELSE
            SELECT array_agg(n.chunk_id), array_agg(n.far) INTO near, far FROM (
                SELECT e.chunk_id, (e.embedding <=> question) + 0 AS far FROM embeddings e
                JOIN chunks c ON c.company_id = company AND c.id = e.chunk_id
                WHERE e.company_id = company AND e.space_id = space
                  AND (documents IS NULL OR c.document_id = ANY (documents))
                  AND (speakers IS NULL OR EXISTS (
                        SELECT 1 FROM chunk_speakers s WHERE s.company_id = company AND s.chunk_id = c.id
                        AND lower(s.speaker) = ANY (speakers)))
                ORDER BY 2, 1 LIMIT lim) n;
        END IF;
    END IF;
    near := coalesce(near, '{}');
    far := coalesce(far, '{}');
END $$;

-- As in 0013.
CREATE OR REPLACE FUNCTION knowledge_nearest(company bigint, space bigint, question halfvec, lim int,
                                             exact boolean DEFAULT false)
RETURNS TABLE (chunk_id bigint, document_id bigint, title text, ordinal int, text text, similarity double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    near bigint[];
    far double precision[];
BEGIN
    PERFORM knowledge_owned(company);
    SELECT m.near, m.far INTO near, far FROM knowledge_by_meaning(company, space, question, NULL, NULL, lim, exact) m;
    RETURN QUERY
    SELECT c.id, c.document_id, c.title, c.ordinal, c.text, 1 - far[array_position(near, c.id)]
    FROM chunks c WHERE c.company_id = company AND c.id = ANY (near) ORDER BY 6 DESC, c.id;
END $$;
