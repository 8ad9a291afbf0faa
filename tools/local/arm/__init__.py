"""Azure's Resource Manager as far as purging needs it, by its public REST contract, and the identity of an app.

`POST …/afdEndpoints/{endpoint}/purge` (and `…/endpoints/…`) answers 202 with `Azure-AsyncOperation`, `Location` and
`Retry-After`; the operation ends as `Succeeded` or `Failed`; while one is in flight at an endpoint a second one is
rejected. What is purged is real: it goes to the edges that stand behind an endpoint.
"""
