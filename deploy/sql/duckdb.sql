-- The tables of a store, in DuckDB. Run it where `facts/` is, or set the root in front:
--   SET VARIABLE root = 's3://audit-bucket/ssm-audit';
-- then `views.sql`.
CREATE OR REPLACE VIEW activity AS SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/activity/*/*.parquet', hive_partitioning = true, union_by_name = true);
CREATE OR REPLACE VIEW transcripts AS SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/transcripts/*/*.parquet', hive_partitioning = true, union_by_name = true);
CREATE OR REPLACE VIEW commands AS SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/commands/*/*.parquet', hive_partitioning = true, union_by_name = true);
CREATE OR REPLACE VIEW matches AS SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/matches/*/*.parquet', hive_partitioning = true, union_by_name = true);
CREATE OR REPLACE VIEW findings AS SELECT * FROM read_parquet(coalesce(getvariable('root'), '.') || '/facts/findings/*/*.parquet', hive_partitioning = true, union_by_name = true);
