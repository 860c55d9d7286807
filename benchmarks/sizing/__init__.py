"""How much a hospital, a region and a wearables service need: ``python -m benchmarks.sizing``."""
