DROP FUNCTION IF EXISTS reserve_budget, budget_state, budget_days_of;
DROP TABLE budget_reservations, contact_days, budget_resets, budgets;
