"""A development host: runs a Python function app (v2 model) as Azure Functions does, without Core Tools.

It finds the functions by the public `app.get_functions()`, reads the same `function.json` form that the real worker
sends to the real host, and decodes and encodes with the library's own converters. What is simpler than in Azure:

- blob events come from listing the container (at most a poll late) instead of Event Grid;
- every instance runs every timer (there is no lease), and a missed occurrence is not made up for after a restart;
- `func.Out` and return values are supported for `http` and `queue`; there are no input bindings but the triggers;
- retry policies, Durable Functions, ASGI/WSGI apps and proxies are refused or ignored loudly.
"""
