-- Which customer messages nobody has read.

-- read_seq goes on over what follows it and was read ahead of it, and of the rest only what is behind it is kept: then
-- unread = customer_seq - read_seq - cardinality(read_ahead), whoever moved either of them.
CREATE OR REPLACE FUNCTION conversations_read_ahead() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    ahead bigint[];
BEGIN
    SELECT coalesce(array_agg(DISTINCT n ORDER BY n), '{}') INTO ahead
    FROM unnest(NEW.read_ahead) AS n
    WHERE n > NEW.read_seq AND n <= NEW.customer_seq;
    WHILE cardinality(ahead) > 0 AND ahead[1] = NEW.read_seq + 1 LOOP
        NEW.read_seq := NEW.read_seq + 1;
        ahead := ahead[2:];
    END LOOP;
    NEW.read_ahead := ahead;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER conversations_read_ahead BEFORE UPDATE OF read_seq, read_ahead ON conversations
    FOR EACH ROW WHEN (NEW.read_ahead <> '{}') EXECUTE FUNCTION conversations_read_ahead();

REVOKE ALL ON FUNCTION conversations_read_ahead FROM PUBLIC;
