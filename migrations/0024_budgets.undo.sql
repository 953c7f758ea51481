DROP FUNCTION IF EXISTS charge_expired_reservation, settle_reservation, book_reservation, reserve_budget, budget_state,
    budget_days_of;
DROP TABLE budget_reservations, contact_days, budget_resets, budgets;
