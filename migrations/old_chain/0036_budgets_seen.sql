-- How many companies' tokens of the day go or are gone, for operators. Numbers alone.
CREATE FUNCTION operations_budgets(near_share double precision)
RETURNS TABLE (bound bigint, near bigint, beyond bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*), count(*) FILTER (WHERE used >= budget * near_share AND used < budget),
           count(*) FILTER (WHERE used >= budget)
    FROM (SELECT c.daily_token_budget AS budget, coalesce(u.tokens_in + u.tokens_out, 0) AS used
          FROM companies c LEFT JOIN usage_daily u
              ON u.company_id = c.id AND u.day = (now() AT TIME ZONE 'UTC')::date
          WHERE c.daily_token_budget IS NOT NULL) b
$$;
GRANT EXECUTE ON FUNCTION operations_budgets TO switchboard_app;
