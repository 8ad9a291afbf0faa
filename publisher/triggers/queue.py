"""The queue triggers: release indexes have changed, and purges wait."""

from __future__ import annotations

import azure.functions as func

from publisher import changes, purging
from publisher.settings import CHANGES, PURGES, STORAGE
from publisher.wiring import invocation, pipeline

blueprint = func.Blueprint()


@blueprint.function_name("follow_changes")
@blueprint.queue_trigger(arg_name="message", queue_name=CHANGES, connection=STORAGE)
def follow_changes(message: func.QueueMessage, context: func.Context) -> None:
    """Bring the remote index up to the release indexes that changed (I3)."""
    with invocation("follow_changes", context.invocation_id):
        changes.follow(pipeline(), message.get_body().decode())


@blueprint.function_name("carry_out_purges")
@blueprint.queue_trigger(arg_name="message", queue_name=PURGES, connection=STORAGE)
def carry_out_purges(message: func.QueueMessage, context: func.Context) -> None:
    """Let the CDN forget what was asked for (W4)."""
    with invocation("carry_out_purges", context.invocation_id):
        purging.run(pipeline(), message.get_body().decode())
