"""Celery's settings, each with its reason. A message is a wake-up for everything that is due when it is heard:
losing one delays, doubling one does nothing."""

from __future__ import annotations

from beat_schedule import SCHEDULE as beat_schedule  # noqa: F401, N811  a module of that name would become the setting
from shared import queues, settings
from tasks.broker import declared_queues, transport_options

_settings = settings.load()

broker_url = _settings.need("BROKER_URL")
broker_connection_retry_on_startup = True
worker_consumer = "workers.consumer:Consumer"  # tries to reach the broker every two seconds; Celery's every thirty
broker_connection_max_retries = None  # a broker that is away for an hour must not end the fleet
broker_channel_error_retry = True  # Redis at maxmemory answers a pop with an error, which would end the worker
broker_pool_limit = 32
broker_pool_acquire_timeout = 5  # a publisher fails rather than waits for ever
broker_transport_options = transport_options(_settings)

task_serializer = "json"
accept_content = ["json"]
result_backend = None
task_ignore_result = True
task_store_errors_even_if_ignored = False

# Early acknowledgement: the broker redelivers nothing, the sweeper finds what a killed worker left.
task_acks_late = False
task_default_queue = queues.MAINTENANCE
task_queues = declared_queues()
task_routes = ["tasks.app:route"]  # each task names its queue where it is declared
task_create_missing_queues = False  # a typo would make a queue that nobody reads
task_publish_retry = True
task_publish_retry_policy = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
task_inherit_parent_priority = False

# A wake-up held by a busy worker does not reach an idle one; a worker with more to do than room sends another.
worker_prefetch_multiplier = 1
worker_eta_task_limit = 20_000  # countdowns are held in memory; there is one a batch, at most twenty a second
worker_cancel_long_running_tasks_on_connection_loss = False  # the row, not the broker, owns the work
worker_hijack_root_logger = False  # logs are ours, as JSON
worker_redirect_stdouts = False
worker_log_color = False
worker_max_tasks_per_child = 200  # prefork only: what a library leaks goes with the child
worker_soft_shutdown_timeout = 10.0
worker_enable_soft_shutdown_on_idle = False

task_time_limit = 900  # prefork only; threads end by deadlines inside the work
task_soft_time_limit = 840

# Workers in threads tell Flower by themselves, in batches (workers/work_events.py); workers/main.py switches Celery's
# own events on for prefork, whose children have no thread for it.
worker_send_task_events = False
task_send_sent_event = False
event_queue_expires = 60
control_queue_expires = 300

timezone = "UTC"
enable_utc = True
beat_max_loop_interval = 30
