"""The real Python worker of Azure Functions, in a process of its own: JSON lines in, JSON lines out.

Run as `python worker.py PACKAGES APP`: the folder of the worker's packages, and that of the app. It is asked for
`{"do": "index"}` and `{"do": "invoke", ...}` as a Functions host asks over gRPC, by the messages of its protocol.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from types import SimpleNamespace
from typing import Any

PACKAGES, APP = sys.argv[1:]
sys.path[:0] = [APP, PACKAGES, f"{PACKAGES}/tests"]  # the last has the worker's protocol, under no name of its own
os.chdir(APP)
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # whatever else is printed is no answer

protos: Any = importlib.import_module("protos")
messages: Any = importlib.import_module("protos.FunctionRpc_pb2")
worker: Any = importlib.import_module("azure_functions_runtime.handle_event")
PROPERTIES = {"host": "127.0.0.1", "protos": protos}


def streamed(**message: Any) -> Any:
    return SimpleNamespace(request=protos.StreamingMessage(**message), properties=PROPERTIES)


async def index() -> dict[str, Any]:
    """Initialise, index and load, as the host does at its start.

    A function that cannot be called shows when the worker initialises: its answer to a load is always success.
    """
    started = await worker.worker_init_request(
        streamed(worker_init_request=protos.WorkerInitRequest(function_app_directory=APP))
    )
    if started.result.status != protos.StatusResult.Success:
        return {"error": started.result.exception.message}
    found = await worker.functions_metadata_request(
        streamed(functions_metadata_request=protos.FunctionsMetadataRequest())
    )
    functions = {}
    for metadata in found.function_metadata_results:
        request = protos.FunctionLoadRequest(function_id=metadata.function_id, metadata=metadata)
        await worker.function_load_request(streamed(function_load_request=request))
        functions[metadata.name] = {
            "id": metadata.function_id,
            "bindings": [json.loads(binding) for binding in metadata.raw_bindings],
        }
    return {"functions": functions, "modules": sorted(sys.modules)}


async def invoke(order: dict[str, Any]) -> dict[str, Any]:
    """One invocation: `data` is what the trigger gives, `metadata` is told with it: `{"string" or "json": text}`."""
    request = protos.InvocationRequest(
        invocation_id=order["invocation"],
        function_id=order["function"],
        input_data=[protos.ParameterBinding(name=order["parameter"], data=typed(order["kind"], order["data"]))],
        trigger_metadata={name: protos.TypedData(**value) for name, value in order["metadata"].items()},
    )
    done = await worker.invocation_request(streamed(invocation_request=request))
    if done.result.status != protos.StatusResult.Success:
        return {"error": done.result.exception.message}
    return {"http": response(done.return_value.http)} if done.return_value.WhichOneof("data") == "http" else {}


def typed(kind: str, data: Any) -> Any:
    match kind:
        case "http":
            body = protos.TypedData(bytes=data["body"].encode()) if data["body"] else None
            return protos.TypedData(http=protos.RpcHttp(**{**data, "body": body}))
        case "blobTrigger":
            content = json.dumps(data).encode()
            reference = messages.ModelBindingData(
                version="1.0", source="AzureStorageBlobs", content_type="application/json", content=content
            )
            return protos.TypedData(model_binding_data=reference)
        case "timerTrigger":
            return protos.TypedData(json=json.dumps(data))
    return protos.TypedData(string=data)


def response(http: Any) -> dict[str, Any]:
    kind = http.body.WhichOneof("data")
    body = getattr(http.body, kind) if kind else ""
    text = body.decode() if isinstance(body, bytes) else body
    return {"status": int(http.status_code), "headers": dict(http.headers), "body": text}


async def main() -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        answer = await (index() if order["do"] == "index" else invoke(order))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


asyncio.run(main())
