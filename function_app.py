"""The Azure Functions app. Importing it does no I/O and reads no secret, so that it indexes with any settings."""

from __future__ import annotations

import azure.functions as func

from publisher.triggers import blob, http, queue, timer

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(blob.blueprint)
app.register_functions(queue.blueprint)
app.register_functions(timer.blueprint)
app.register_functions(http.blueprint)
