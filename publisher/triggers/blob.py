"""The blob trigger: a bundle has arrived in `incoming`."""

from __future__ import annotations

import azure.functions as func

from publisher.ingest import ingest
from publisher.settings import STORAGE
from publisher.wiring import pipeline

CONTAINER = "incoming"

blueprint = func.Blueprint()


@blueprint.function_name("ingest")
@blueprint.blob_trigger(
    arg_name="bundle", path=CONTAINER + "/{name}", connection=STORAGE, source=func.BlobSource.EVENT_GRID
)
def ingest_bundle(bundle: func.InputStream) -> None:
    """Only the name is taken from the event: the use case reads the object itself, pinned to its ETag (B2)."""
    ingest(pipeline(), str(bundle.name).removeprefix(CONTAINER + "/"))
