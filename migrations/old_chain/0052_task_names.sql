-- Tasks are named `domain.verb_object`. What stands under an old name goes on under the new one.
CREATE TEMPORARY TABLE renamed (old text, new text) ON COMMIT DROP;
INSERT INTO renamed VALUES
    ('reply.answer_due', 'answers.answer_due'),
    ('deliver.send_due', 'delivery.send_due'),
    ('channels.watch', 'tenants.watch_channels'),
    ('unread.take_balance', 'inbound.take_balance'),
    ('unread.reconcile_totals', 'inbox.reconcile_totals'),
    ('index.import_due', 'knowledge.import_due'),
    ('index.audit_recall', 'knowledge.audit_index'),
    ('index.embed_due', 'knowledge.embed_due'),
    ('index.find_popular', 'knowledge.find_popular'),
    ('index.warm_popular', 'knowledge.warm_popular'),
    ('index.refresh_knowledge', 'knowledge.refresh_documents'),
    ('media.fetch_due', 'inbox.fetch_media'),
    ('maintenance.ring_due_jobs', 'operations.wake_due_jobs'),
    ('maintenance.make_partitions', 'operations.make_partitions'),
    ('maintenance.make_graphs', 'knowledge.build_vector_indexes'),
    ('maintenance.make_backup', 'lifecycle.make_backup'),
    ('maintenance.prove_backup', 'lifecycle.prove_backup'),
    ('maintenance.sweep_media', 'inbox.sweep_media'),
    ('retention.drop_raw', 'lifecycle.drop_raw_requests'),
    ('retention.drop_logs', 'lifecycle.drop_logs'),
    ('archive.move_messages', 'lifecycle.archive_messages'),
    ('archive.delete_old', 'lifecycle.delete_old_archives'),
    ('health.evaluate_alerts', 'operations.evaluate_alerts'),
    ('health.keep_sizes', 'operations.record_table_sizes'),
    ('health.note_depths', 'operations.record_queue_depths');

UPDATE jobs SET name = new FROM renamed WHERE name = old;
UPDATE job_runs SET name = new FROM renamed WHERE name = old;
UPDATE rounds SET name = new FROM renamed WHERE name = old;
DROP TABLE renamed;

CREATE OR REPLACE FUNCTION switchboard_own_job(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT name IN (
        'inbox.reconcile_totals', 'knowledge.find_popular', 'knowledge.warm_popular', 'knowledge.refresh_documents'
    )
$$;
