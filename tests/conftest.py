"""How hypothesis draws its examples: the same ones in CI, fresh ones elsewhere.

A test that fails prints the line `@reproduce_failure(...)` that repeats its example on any machine.
"""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, database=None, print_blob=True)
settings.register_profile("fresh", print_blob=True)
settings.load_profile("ci" if os.environ.get("CI", "").lower() in ("1", "true") else "fresh")
