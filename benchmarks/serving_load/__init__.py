"""Many clients at once against a server, each of which knows what it has to be answered.

    prepare ─ run/, serve/pets/1/, asked/ ─▶ server ─ clients + hostile ─▶ tally ─▶ JSON, plot

Run with `python -m benchmarks.serving_load`. The process that asks loads nothing but the standard
library, so that it takes as little as it can of the cores that the server needs.
"""
