"""The HTTP triggers."""

from __future__ import annotations

import json

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name("health")
@blueprint.route(route="health", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(request: func.HttpRequest) -> func.HttpResponse:
    """The app answers: it has indexed and is running. It says nothing of the storage behind it."""
    return func.HttpResponse(json.dumps({"status": "ok"}), mimetype="application/json")
