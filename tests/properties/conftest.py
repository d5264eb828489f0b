"""Settings of the property tests: the same examples in every run, bounded in number."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "tlkeras",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("tlkeras")
