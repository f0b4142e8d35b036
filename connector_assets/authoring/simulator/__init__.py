"""A fake of an API, made from its spec, and a trial of the spec against it.

It is written from what the format means, apart from the runtime: it shares the parsed document, and
neither the paginations' next call nor the auth flows nor the evaluator of templates.
"""
