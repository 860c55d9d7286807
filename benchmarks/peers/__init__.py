"""What one would build from parts, or from another framework, to do part of the same.

Written as their makers would want it: batches where the libraries have them, one
thread where more would only wait, and nothing published, stored or recovered. They
run in a process of their own: ``python -m benchmarks.peers``.
"""
