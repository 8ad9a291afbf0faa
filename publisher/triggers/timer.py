"""The timers: what would break in time is mended in time. Each period is a setting, in the timer's own notation."""

from __future__ import annotations

import os

import azure.functions as func

from publisher import maintenance
from publisher.wiring import invocation, pipeline

REPAIR = os.environ.get("FAVN_REPAIR_SCHEDULE", "0 */5 * * * *")
REFRESH = os.environ.get("FAVN_REFRESH_SCHEDULE", "0 7 * * * *")
SWEEP = os.environ.get("FAVN_SWEEP_SCHEDULE", "30 */5 * * * *")
REMOVE = os.environ.get("FAVN_REMOVE_SCHEDULE", "0 17 3 * * *")
EDGES = os.environ.get("FAVN_EDGES_SCHEDULE", "15 2-59/5 * * * *")
"""`{second} {minute} {hour} {day} {month} {day of week}`, UTC; not all at the same moment."""

blueprint = func.Blueprint()


@blueprint.function_name("repair_indexes")
@blueprint.timer_trigger(arg_name="timer", schedule=REPAIR)
def repair_indexes(timer: func.TimerRequest, context: func.Context) -> None:
    """Roll pointers forward (R5, T45), and find changes and purges whose message was lost."""
    with invocation("repair_indexes", context.invocation_id):
        maintenance.repair_indexes(pipeline())


@blueprint.function_name("refresh_indexes")
@blueprint.timer_trigger(arg_name="timer", schedule=REFRESH)
def refresh_indexes(timer: func.TimerRequest, context: func.Context) -> None:
    """Sign again what would expire (I4)."""
    with invocation("refresh_indexes", context.invocation_id):
        maintenance.refresh_indexes(pipeline())


@blueprint.function_name("sweep_poison")
@blueprint.timer_trigger(arg_name="timer", schedule=SWEEP)
def sweep_poison(timer: func.TimerRequest, context: func.Context) -> None:
    """Answer bundles that the platform gave up, or never told of (B4, T41)."""
    with invocation("sweep_poison", context.invocation_id):
        maintenance.sweep_poison(pipeline())


@blueprint.function_name("remove_old")
@blueprint.timer_trigger(arg_name="timer", schedule=REMOVE)
def remove_old(timer: func.TimerRequest, context: func.Context) -> None:
    """Remove what left the window long ago (R7), and what the app no longer needs."""
    with invocation("remove_old", context.invocation_id):
        maintenance.remove_old(pipeline())


@blueprint.function_name("measure_edges")
@blueprint.timer_trigger(arg_name="timer", schedule=EDGES)
def measure_edges(timer: func.TimerRequest, context: func.Context) -> None:
    """How late what readers get is, at every edge (W4)."""
    with invocation("measure_edges", context.invocation_id):
        maintenance.measure_edges(pipeline())
