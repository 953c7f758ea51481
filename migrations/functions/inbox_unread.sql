-- Which customer messages nobody has read.

CREATE OR REPLACE FUNCTION numbers_in(ranges int8multirange) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(upper(r) - lower(r)), 0)::bigint FROM unnest(ranges) AS r
$$;

-- Written into the query that calls it, so that a list asks numbers_in only where there is something to count.
CREATE OR REPLACE FUNCTION unread_of(customer_seq bigint, read_seq bigint, read_beyond int8multirange) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT customer_seq - read_seq - CASE WHEN read_beyond = '{}' THEN 0 ELSE numbers_in(read_beyond) END
$$;

-- read_seq goes on over what follows it and was read ahead of it, and of the rest only what is behind it is kept: then
-- unread = customer_seq - read_seq - what read_beyond holds, whoever moved either of them.
CREATE OR REPLACE FUNCTION conversations_read_beyond() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    ahead int8multirange := NEW.read_beyond * int8multirange(int8range(NEW.read_seq + 1, NEW.customer_seq + 1));
BEGIN
    IF lower(ahead) = NEW.read_seq + 1 THEN
        SELECT upper(r) - 1 INTO NEW.read_seq FROM unnest(ahead) AS r ORDER BY r LIMIT 1;
        ahead := ahead * int8multirange(int8range(NEW.read_seq + 1, NULL));
    END IF;
    NEW.read_beyond := ahead;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER conversations_read_beyond BEFORE UPDATE OF read_seq, read_beyond ON conversations
    FOR EACH ROW WHEN (NEW.read_beyond <> '{}') EXECUTE FUNCTION conversations_read_beyond();

REVOKE ALL ON FUNCTION conversations_read_beyond FROM PUBLIC;
REVOKE ALL ON FUNCTION numbers_in, unread_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION numbers_in, unread_of TO switchboard_app;
