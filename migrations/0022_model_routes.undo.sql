-- Providers, with their keys, and routes are lost; the environment's variables hold again.
DROP FUNCTION IF EXISTS models_routed_companies CASCADE;
DROP TABLE model_routes;
DROP TABLE model_providers;
