"""How a Celery worker takes Dagster's steps; dagster-celery imports a module of this name.

Put its folder on the worker's PYTHONPATH, and start the worker with
`celery --app dagster_celery.app worker --queues dagster --concurrency 4`.
"""

import os

broker_url = os.environ["CELERY_BROKER"]
result_backend = os.environ["CELERY_BACKEND"]

# A worker takes a step when it has a hand free, and no step in advance.
worker_prefetch_multiplier = 1

# A step is done when it has ended, not when it is taken: that of a worker which was killed goes to
# another one. With Redis this happens after the visibility timeout, in seconds. It must be longer
# than the longest step, or that is started a second time while it runs.
task_acks_late = True
task_reject_on_worker_lost = True
visibility_timeout = float(os.environ.get("CELERY_VISIBILITY_TIMEOUT", "7200"))
broker_transport_options = {"visibility_timeout": visibility_timeout}
result_backend_transport_options = {"visibility_timeout": visibility_timeout}
