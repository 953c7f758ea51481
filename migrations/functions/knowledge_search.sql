-- Search as one function: candidates by words and by meaning, each scored by both, inside one company and one filter.
--
-- It is SECURITY DEFINER because `@@` is not leakproof: under row-level security the planner would apply the policy
-- first and could not use the GIN index.
--
-- A search looks at little and plans once: statements whose way does not depend on what is asked have one plan a
-- connection.

-- Raises insufficient_privilege for a company that the transaction does not work for.
CREATE OR REPLACE FUNCTION knowledge_owned(company bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF company IS NULL OR NOT company = ANY (switchboard_companies()) THEN
        RAISE EXCEPTION 'this transaction does not work for company %', company
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- ------------------------------------------------------------------ words
-- The words of a question and of what was said before it, in each language that the company has documents in, with
-- what each tells: the rarer, the more. A word that no chunk has tells most of all, so that a question about something
-- else looks like one. weights: what each text's words count; a word of several texts counts as in the weightiest.
CREATE OR REPLACE FUNCTION knowledge_words(company bigint, texts text[], weights double precision[])
RETURNS TABLE (language text, lexeme text, weight double precision, asked boolean, chunks int, idf double precision,
               mean_length double precision)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT s.language, word.lexeme, word.weight, word.asked, df.chunks,
           ln(1 + (s.chunks - df.chunks + 0.5) / (df.chunks + 0.5)),
           greatest(s.total_length::double precision / s.chunks, 1)
    FROM knowledge_stats s
    CROSS JOIN LATERAL (
        SELECT found.lexeme, max(weights[part.place]) AS weight, bool_or(part.place = 1) AS asked
        FROM unnest(texts) WITH ORDINALITY AS part(text, place)
        CROSS JOIN LATERAL unnest(tsvector_to_array(knowledge_tsvector(s.language, left(part.text, 4096)))) AS found(lexeme)
        WHERE weights[part.place] > 0 GROUP BY found.lexeme) AS word
    -- One index look-up a word, whatever the planner believes of a table that was never analysed.
    CROSS JOIN LATERAL (SELECT coalesce((
        SELECT l.chunks FROM lexemes l
        WHERE l.company_id = s.company_id AND l.language = s.language AND l.lexeme = word.lexeme), 0)) AS df(chunks)
    WHERE s.company_id = company AND s.chunks > 0
$$;

-- Which words choose the candidates of one language: any_of and, where even the rarest is too common, each of all_of
-- beside it. query: all words, by which the candidates are put in order: the common ones tell those apart that share
-- the same rare one.
-- The rarest ones, as many as fit the budget of postings, because those are what a search costs. Where the first alone
-- does not fit, so many stand together that chance would leave a budget of chunks. Those beside the ones that stand
-- together have no more than a hundred thousand postings, because reading half of a company's is what the slowest
-- searches did.
CREATE OR REPLACE FUNCTION knowledge_choice(keys bigint[], quoted text[], counts int[], chunks bigint, budget int,
                                            OUT any_of bigint[], OUT all_of bigint[], OUT query tsquery)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
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

-- The candidates: chunks that share the question's words, those that share the question's and the conversation's.
-- words: as knowledge_words() gives them, an array for each column.
-- Of chunks that share common words one budget is put in order: on a large company those were the slowest twentieth of
-- all searches. Of the scores of the ten best by BM25 in a company of 500,000 that is 93.6 % (93.7 % with two budgets),
-- with fewer words read 92.1 %.
CREATE OR REPLACE FUNCTION knowledge_by_words(company bigint, languages text[], lexemes text[],
                                              tells double precision[],
                                              asked boolean[], counts int[], documents bigint[], speakers text[],
                                              lim int)
RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_generic_plan
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

-- ------------------------------------------------------------------ meaning
-- Returns the company's chunks nearest to a question and the distance of each (1 - cosine): lim of them, or all that
-- have vectors. Uses the company's vector index if it has one, and searches exactly if the index returned too few rows.
-- It also searches exactly where a filter leaves so few chunks that the index would be walked for long: checking a chunk
-- costs 3 µs, a step in the index 8 µs, and only one step in `total / there` counts. exact: do not use the index.
CREATE OR REPLACE FUNCTION knowledge_by_meaning(company bigint, model bigint, question halfvec, documents bigint[],
                                                speakers text[],
                                                lim int, exact boolean, OUT near bigint[], OUT far double precision[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    total bigint;
    there bigint;
BEGIN
    IF NOT exact AND knowledge_has_vector_index(company, model) THEN
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
                set_config('hnsw.ef_search', knowledge_list(company, model, total)::text, true);
        -- Literals, so that the planner can match the partial index. Sorting is off, or it might choose that instead.
        PERFORM set_config('enable_sort', 'off', true);
        EXECUTE format(
            'SELECT array_agg(n.chunk_id), array_agg(n.far) FROM ('
            ' SELECT e.chunk_id, e.embedding::halfvec(%3$s) <=> $1::halfvec(%3$s) AS far FROM embeddings e'
            ' WHERE e.company_id = %1$s AND e.model_id = %2$s'
            || CASE WHEN documents IS NULL THEN '' ELSE
               ' AND EXISTS (SELECT 1 FROM chunks c WHERE c.company_id = %1$s AND c.id = e.chunk_id'
               ' AND c.document_id = ANY ($3))' END
            || CASE WHEN speakers IS NULL THEN '' ELSE
               ' AND EXISTS (SELECT 1 FROM chunk_speakers s WHERE s.company_id = %1$s AND s.chunk_id = e.chunk_id'
               ' AND lower(s.speaker) = ANY ($4))' END
            || ' ORDER BY e.embedding::halfvec(%3$s) <=> $1::halfvec(%3$s) LIMIT $2) n',
            company, model, vector_dims(question)) INTO near, far USING question, lim, documents, speakers;
        PERFORM set_config('enable_sort', 'on', true);
    END IF;
    IF coalesce(cardinality(near), 0) < lim THEN
        -- `+ 0`: keeps the planner from using the vector index.
        IF documents IS NULL AND speakers IS NULL THEN
            SELECT array_agg(n.chunk_id), array_agg(n.far) INTO near, far FROM (
                SELECT e.chunk_id, (e.embedding <=> question) + 0 AS far FROM embeddings e
                WHERE e.company_id = company AND e.model_id = model ORDER BY 2, 1 LIMIT lim) n;
        ELSE
            SELECT array_agg(n.chunk_id), array_agg(n.far) INTO near, far FROM (
                SELECT e.chunk_id, (e.embedding <=> question) + 0 AS far FROM embeddings e
                JOIN chunks c ON c.company_id = company AND c.id = e.chunk_id
                WHERE e.company_id = company AND e.model_id = model
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

-- Returns the chunks nearest to a question, the nearest first, ties by chunk_id. similarity: cosine. exact: do not use
-- the vector index.
CREATE OR REPLACE FUNCTION knowledge_nearest(company bigint, model bigint, question halfvec, lim int,
                                             exact boolean DEFAULT false)
RETURNS TABLE (chunk_id bigint, document_id bigint, title text, ordinal int, text text, similarity double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    near bigint[];
    far double precision[];
BEGIN
    PERFORM knowledge_owned(company);
    SELECT m.near, m.far INTO near, far FROM knowledge_by_meaning(company, model, question, NULL, NULL, lim, exact) m;
    RETURN QUERY
    SELECT c.id, c.document_id, c.title, c.ordinal, c.text, 1 - far[array_position(near, c.id)]
    FROM chunks c WHERE c.company_id = company AND c.id = ANY (near) ORDER BY 6 DESC, c.id;
END $$;

-- ------------------------------------------------------------------ identifiers
-- The chunks that hold one of these keys (shared/knowledge/identifiers.py), at most 24 of each: what stands in more tells
-- little, and words and meaning find the best of them. A filter is applied to the first 2,000.
CREATE OR REPLACE FUNCTION knowledge_by_identifiers(company bigint, keys text[], documents bigint[], speakers text[])
RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
BEGIN
    IF documents IS NULL AND speakers IS NULL THEN
        RETURN ARRAY(
            SELECT DISTINCT i.chunk_id FROM unnest(keys) AS asked(key) CROSS JOIN LATERAL (
                SELECT k.chunk_id FROM chunk_identifiers k
                WHERE k.company_id = company AND k.key = asked.key ORDER BY k.chunk_id LIMIT 24) i);
    END IF;
    RETURN ARRAY(
        SELECT DISTINCT i.id FROM unnest(keys) AS asked(key) CROSS JOIN LATERAL (
            SELECT c.id FROM (
                SELECT k.chunk_id FROM chunk_identifiers k
                WHERE k.company_id = company AND k.key = asked.key ORDER BY k.chunk_id LIMIT 2000) f
            JOIN chunks c ON c.company_id = company AND c.id = f.chunk_id
            WHERE (documents IS NULL OR c.document_id = ANY (documents))
              AND (speakers IS NULL OR EXISTS (
                    SELECT 1 FROM chunk_speakers s
                    WHERE s.company_id = company AND s.chunk_id = c.id AND lower(s.speaker) = ANY (speakers)))
            LIMIT 24) i);
END $$;

-- ------------------------------------------------------------------ background
-- How near the company's texts are to a question, in each language: [[language, mean cosine, standard deviation, texts]…],
-- of up to 64 of its chunks, evenly over all of them. What is no nearer than chance makes the nearest of so many does not
-- answer the question: some questions are near to everything, and some companies' texts are all alike.
CREATE OR REPLACE FUNCTION knowledge_background(company bigint, model bigint, question halfvec) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
DECLARE
    samples CONSTANT int := 64;
    lowest bigint := (SELECT min(e.chunk_id) FROM embeddings e WHERE e.company_id = company);
    highest bigint := (SELECT max(e.chunk_id) FROM embeddings e WHERE e.company_id = company);
BEGIN
    RETURN (
        WITH sampled AS MATERIALIZED (
            SELECT DISTINCT ON (near.chunk_id) near.chunk_id, near.far
            FROM generate_series(0, samples - 1) AS step
            CROSS JOIN LATERAL (
                SELECT e.chunk_id, e.embedding <=> question AS far FROM embeddings e
                WHERE e.company_id = company AND e.model_id = model
                  AND e.chunk_id >= lowest + (highest - lowest) * step / (samples - 1)
                ORDER BY e.chunk_id LIMIT 1) AS near)
        SELECT coalesce(json_agg(json_build_array(f.language, f.mean, f.deviation, f.texts)), '[]')
        FROM (SELECT c.language, avg(1 - s.far) AS mean, stddev_pop(s.far) AS deviation, count(*) AS texts
              FROM sampled s JOIN chunks c ON c.company_id = company AND c.id = s.chunk_id
              GROUP BY c.language) f);
END $$;

-- ------------------------------------------------------------------ both
-- What comes into question for a question, each chunk with what its score is made of; in no order.
-- texts: the question, then what was said before it; weights: what the words of each count. of_model, question: the
-- name of an embedding model and the question's vector; null, or an unknown model, searches by words alone.
-- wanted: a filter or NULL. lim: candidates of each side. identifiers: keys of what the question asks for exactly; marks:
-- keys that candidates are only looked up for.
-- Returns {"words": [[language, lexeme, tells, mean_length]…]: what the question's words tell, known or not;
-- "asked": {language: [lexeme…]}: the question's own words in their order; "chunks": {language: how many};
-- "documents": {id: [title, kind]}; "identifiers": [[chunk, key]…], of the candidates; "complete": whether all documents
-- have theirs; "background": as knowledge_background() gives it, [] without a vector;
-- "candidates": [[chunk, document, ordinal, language, length, positions, cosine]…]}; positions: of the question's words
-- as PostgreSQL writes a tsvector, marked with an A: "'word':1A,7A 'other':3A"; cosine: null without a vector.
-- JSON as text, because a binary form that is made, sorted and written out again cost a third of the answer.
-- The scores are made of it outside: joins over a handful of words, whose numbers no planner guesses, cost more here
-- than all the rest.
-- Raises insufficient_privilege for a company that the transaction does not work for, and for a foreign filter.
CREATE OR REPLACE FUNCTION knowledge_search(company bigint, texts text[], weights double precision[], of_model text,
                                            question halfvec, wanted jsonb, lim int, identifiers text[] DEFAULT '{}',
                                            marks text[] DEFAULT '{}') RETURNS json
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    model bigint;
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
    held json;
    complete boolean := true;
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
    SELECT m.id INTO model FROM embedding_models m
    WHERE m.name = of_model AND m.dimension = vector_dims(question) AND m.state <> 'dropping';
    IF model IS NOT NULL THEN
        SELECT m.near, m.far INTO near, far
        FROM knowledge_by_meaning(company, model, question, of_documents, of_speakers, lim, false) m;
        candidates := candidates || near;
    END IF;
    IF cardinality(identifiers) > 0 THEN
        candidates := candidates || knowledge_by_identifiers(company, identifiers, of_documents, of_speakers);
        held := (SELECT json_agg(json_build_array(i.chunk_id, i.key)) FROM chunk_identifiers i
                 WHERE i.company_id = company AND i.key = ANY (identifiers || marks) AND i.chunk_id = ANY (candidates));
        complete := NOT EXISTS (SELECT 1 FROM documents d
                                WHERE d.company_id = company AND d.identified IS DISTINCT FROM d.content_hash);
    END IF;
    RETURN (
        WITH found AS MATERIALIZED (
            SELECT c.id, c.document_id, c.ordinal, c.language, c.length,
                   -- A chunk's words without those that are not the question's: no word is made a value of its own.
                   ts_filter(setweight(c.tsv, 'A', lexemes), '{a}')::text AS positions,
                   1 - coalesce(far[array_position(near, c.id)], (
                       SELECT e.embedding <=> question FROM embeddings e
                       WHERE e.company_id = company AND e.chunk_id = c.id AND e.model_id = model)) AS cosine
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
            'identifiers', coalesce(held, '[]'), 'complete', complete,
            'background', CASE WHEN model IS NULL THEN '[]' ELSE knowledge_background(company, model, question) END,
            'documents', (SELECT coalesce(json_object_agg(d.id, json_build_array(d.title, d.kind)), '{}')
                          FROM documents d
                          WHERE d.company_id = company AND d.id = ANY (ARRAY(SELECT DISTINCT f.document_id FROM found f))),
            'candidates', (SELECT coalesce(json_agg(json_build_array(
                              f.id, f.document_id, f.ordinal, f.language, f.length, f.positions, f.cosine)), '[]') FROM found f)));
END $$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION knowledge_owned, knowledge_words, knowledge_choice, knowledge_by_words, knowledge_by_meaning,
    knowledge_by_identifiers, knowledge_background, knowledge_nearest, knowledge_search FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION knowledge_nearest, knowledge_search TO switchboard_app;
