"""How fast calls may be made: so many in ten seconds, and several at once."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

CALM = 3
Item = TypeVar("Item")
Result = TypeVar("Result")


class TokenBucket:
    """At most `limit` calls in any `seconds`: each token comes back a little later than `seconds` after it was taken.

    A slow call loses nothing, as it would where tokens come back evenly: the others catch up. The little is for calls whose
    ways to HubSpot take unlike times.
    """

    def __init__(
        self,
        limit: int,
        seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if limit < 1:
            raise ValueError("the rate limit must be at least 1")
        self._taken: deque[float] = deque(maxlen=limit)
        self._lock = threading.Lock()
        self._away = seconds * 1.02
        self._clock, self._sleep = clock, sleep

    def take(self) -> None:
        """Waits until there is a token, and takes it."""
        # Who waits, waits for those before it.
        with self._lock:
            if len(self._taken) == self._taken.maxlen:
                while (pause := self._taken[0] + self._away - self._clock()) > 1e-6:
                    self._sleep(pause)
            self._taken.append(self._clock())


def in_order(function: Callable[[Item], Result], items: Iterable[Item], at_once: int) -> Iterator[Result]:
    """What `function` gives for each item, in the order of the items.

    The first are done one after the other, so that what goes wrong with everything goes wrong once. After an exception no
    further one is begun, and those under way are waited for.
    """
    remaining = iter(items)
    for item in islice(remaining, CALM):
        yield function(item)
    under_way: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(at_once) as threads:
        for item in remaining:
            under_way.append(threads.submit(function, item))
            if len(under_way) >= at_once:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
