"""The blob trigger: a bundle has arrived in `incoming`."""

from __future__ import annotations

import azure.functions as func
import azurefunctions.extensions.bindings.blob as bindings  # type: ignore[import-untyped]

from publisher.ingest import ingest
from publisher.settings import STORAGE
from publisher.wiring import invocation, pipeline

CONTAINER = "incoming"

blueprint = func.Blueprint()


@blueprint.function_name("ingest")
@blueprint.blob_trigger(
    arg_name="bundle", path=CONTAINER + "/{name}", connection=STORAGE, source=func.BlobSource.EVENT_GRID
)
def ingest_bundle(bundle: bindings.BlobClient, context: func.Context) -> None:
    """Only the name is taken from the event: the use case reads the object itself, pinned to its ETag (B2).

    A `func.InputStream` would bring the whole bundle into memory before the function begins.
    """
    name = str(bundle.blob_name)
    with invocation("ingest", context.invocation_id, bundle=name):
        ingest(pipeline(), name)
