"""How long the Kafka client waits for what, and how much it holds."""

# The client's own defaults (45 s, 3 s, 30 s) are too slow for a monitor.
SESSION_TIMEOUT_MS = 6000
HEARTBEAT_INTERVAL_MS = 400
REQUEST_TIMEOUT_MS = 5000
# A batch that is not acknowledged after this long is given up, and its sender told.
DELIVERY_TIMEOUT_MS = 15_000
# The broker answers a fetch at once when there is something; this bounds the wait for it.
FETCH_WAIT_MS = 100
# Who works in ticks wants many patients in each: the broker answers when it has so much for it,
# or after this long.
GATHER_BYTES = 1024 * 1024
GATHER_MS = 50
# A member that does not poll for so long has left; also the longest that a rebalance waits for it.
MAX_POLL_INTERVAL_MS = 60_000
# The client starts a join anew when it finds one that ended between two polls, so with short
# polls it may never see one through; while there is nothing to read anyway it gets this long.
JOIN_MS = 1000
# A member that is still rebalancing after this long is given up.
WEDGED_AFTER_S = 40.0
# How long a client that is thrown away may take to notice.
LAST_REQUEST_S = 2.0
# Sends whose outcome nobody has asked for yet; more than these are waited for.
MAX_UNCONFIRMED = 10_000
# Messages that travel together; a broker takes up to a megabyte in one batch by its own default.
# Whatever the size, a batch costs the client some 0.6 ms.
BATCH_BYTES = 448 * 1024
