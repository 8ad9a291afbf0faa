"""A function app with every kind of trigger: each function tells the test what it was given and does as it is told."""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import Any

import azure.functions as func
import azurefunctions.extensions.bindings.blob as sdk  # type: ignore[import-untyped]

CONNECTION = "ArtifactsStorage"

app = func.FunctionApp()


def tell(function: str, **facts: Any) -> str:
    """Send one JSON line to the test; what the test answers (one line) is the function's order."""
    with socket.create_connection(("127.0.0.1", int(os.environ["SAMPLE_REPORTS"])), timeout=60) as connection:
        connection.sendall(json.dumps({"function": function, **facts}).encode() + b"\n")
        order = connection.makefile().readline().strip()
    if order == "fail":
        raise ValueError("the test wants it so")
    return order


@app.function_name("arrived")
@app.blob_trigger(
    arg_name="bundle", path="incoming/{name}.txt", connection=CONNECTION, source=func.BlobSource.EVENT_GRID
)
def blob_arrived(bundle: func.InputStream, context: func.Context) -> None:
    tell(
        "arrived",
        type=type(bundle).__module__,
        is_stream=isinstance(bundle, func.InputStream),
        name=bundle.name,
        uri=bundle.uri,
        length=bundle.length,
        body=bundle.read().decode(),
        called=context.function_name,
        thread=threading.current_thread() is not threading.main_thread(),
    )


@app.function_name("streamed")
@app.blob_trigger(arg_name="client", path="quarantine/{name}", connection=CONNECTION)
def blob_streamed(client: sdk.BlobClient) -> None:
    body = b"".join(client.download_blob().chunks())
    tell("streamed", name=client.blob_name, container=client.container_name, body=body.decode())


@app.function_name("job")
@app.queue_trigger(arg_name="message", queue_name="%SAMPLE_QUEUE%", connection=CONNECTION)
@app.queue_output(arg_name="done", queue_name="done", connection=CONNECTION)
async def queue_job(message: func.QueueMessage, done: func.Out[str]) -> None:
    body = message.get_body().decode()
    tell(
        "job",
        is_message=isinstance(message, func.QueueMessage),
        id=message.id,
        body=body,
        count=message.dequeue_count,
        inserted=str(message.insertion_time),
        thread=threading.current_thread() is not threading.main_thread(),
    )
    done.set(f"done: {body}")


@app.function_name("finished")
@app.queue_trigger(arg_name="message", queue_name="done", connection=CONNECTION)
def queue_finished(message: func.QueueMessage) -> None:
    tell("finished", body=message.get_body().decode())


@app.function_name("poisoned_job")
@app.queue_trigger(arg_name="message", queue_name="%SAMPLE_QUEUE%-poison", connection=CONNECTION)
def queue_poisoned(message: func.QueueMessage) -> None:
    tell("poisoned_job", body=message.get_body().decode())


@app.function_name("poisoned_blob")
@app.queue_trigger(arg_name="message", queue_name="webjobs-blobtrigger-poison", connection=CONNECTION)
def queue_poisoned_blob(message: func.QueueMessage) -> None:
    tell("poisoned_blob", event=message.get_json())


@app.function_name("tick")
@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def timer_tick(timer: func.TimerRequest) -> None:
    tell("tick", is_timer=isinstance(timer, func.TimerRequest), past_due=timer.past_due)


@app.function_name("sweep")
@app.timer_trigger(arg_name="timer", schedule="0 0 4 1 1 *", run_on_startup=True)
def timer_sweep(timer: func.TimerRequest) -> None:
    facts: Any = timer  # the library's base class does not name them
    tell("sweep", next=facts.schedule_status["Next"])


@app.function_name("read_item")
@app.route("items/{id}", methods=["GET"])
def http_read(req: func.HttpRequest) -> func.HttpResponse:
    facts = {"id": req.route_params["id"], "params": dict(req.params), "header": req.headers.get("X-Sample")}
    return func.HttpResponse(json.dumps(facts), mimetype="application/json", headers={"X-Answer": "yes"})


@app.function_name("release_item")
@app.route("items/{id}/{action:regex(^(promote|rollback)$)}", methods=["POST"])
async def http_release(req: func.HttpRequest) -> func.HttpResponse:
    document = {"action": req.route_params["action"], "body": req.get_json()}
    return func.HttpResponse(json.dumps(document), status_code=409)


@app.function_name("open")
@app.route("open", auth_level=func.AuthLevel.ANONYMOUS)
def http_open(req: func.HttpRequest) -> str:
    return f"{req.method} {len(req.get_body())}"


@app.function_name("broken")
@app.route("broken", auth_level=func.AuthLevel.ANONYMOUS)
def http_broken(req: func.HttpRequest) -> str:
    raise ValueError("a secret")


@app.function_name("no_answer")
@app.route("no-answer", auth_level=func.AuthLevel.ANONYMOUS)
def http_no_answer(req: func.HttpRequest) -> Any:
    return {"this": "is no HttpResponse"}


@app.function_name("master")
@app.route("master", auth_level=func.AuthLevel.ADMIN)
def http_master(req: func.HttpRequest) -> str:
    return "you may"


@app.function_name("purge_settings")
@app.route("settings")
def http_settings(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(dict(os.environ)), mimetype="application/json")
