"""Timeouts and polling intervals for waiting on a server, in seconds."""

from __future__ import annotations

SILENCE = 20.0
"""Time without events after which a wait reads the state, to find changes without an event (a pruned item)."""
HANDSHAKE = 2.0
"""How long to wait for the event connection before the status is polled. The connection is made in the background."""
POLL = 1.0
"""Polling interval if there is no event connection."""
LONGEST_OUTAGE = 300.0
"""How long a server may be down (restarting, for example) until waits and what follows them fail, by default."""
MOMENT = 0.3
"""How long a run may be pending before its position in the queue is requested."""

AFTER_SLEEP = 30.0
"""How long a wait whose timeout passed while the computer slept may take to read the state: the network comes back."""

QUEUE_SILENCE = 10.0
"""The same as ``SILENCE``, for waiting until a whole queue is idle."""
PROCESSOR_IDLE = 7.0
"""How long unfinished items may remain while the server works on none, before its processor counts as ended.

The processor looks for items every second and waits up to five seconds for a locked database (6.14.2).
"""
LATE_EVENTS = 1.0
"""How long to wait for the last events of items that have ended according to the queue's status."""

TAKE_BACK = 8.0
"""How long an interrupted call waits until the server has its runs, so that it can cancel them."""
TAKE_BACK_POLL = 0.1
"""How often it checks that."""

LATE_REQUEST = 600.0
"""For how long a request that a proxy held back may arrive after its retry, so that its copies of runs are removed."""

QUEUE_FULL = 5.0
"""How often a sweep tries to send runs to a full queue that contains none of its runs."""

DISPLAY = 10.0
"""How long a notebook waits for the images of an object to display."""

INSTALL_FIRST_POLL = 0.05
"""First polling interval of an installation. A local model takes a fraction of a second, a large download minutes."""
INSTALL_SILENCE = 5
"""Factor by which an installation is polled less often if there is an event connection."""

# The zip can be downloaded only once, even if the server has not finished writing it: then a part is sent and the rest
# is lost (6.14.2). So if no event arrives, it is downloaded only after some time, at growing intervals.
ZIP_SILENCE = 30.0
ZIP_POLL = 1.0
ZIP_LONGEST = 60.0

IMAGE_MOVE_POLL = 0.25
"""Polling interval while the server moves its image files, which rejects other requests until then."""
