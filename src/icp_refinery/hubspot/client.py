"""HubSpot's API over HTTP: the rate limit, retries, errors in words. The token goes into one header and nowhere else."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address
from socket import SHUT_RDWR
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from icp_refinery.hubspot.answers import (
    as_json,
    errors_of,
    ids_of,
    in_words,
    names_missing_property,
    retry_after,
    scope_of_path,
    scopes_of,
    shaped,
    words_of,
)
from icp_refinery.hubspot.errors import (
    BadAddress,
    DailyQuota,
    HubSpotError,
    Json,
    MissingScope,
    Refused,
    Unauthorized,
    Unreachable,
    Unsure,
)

HUBSPOT = "https://api.hubapi.com"
BATCH = 100
HISTORY_BATCH = 50
LONGEST_PAUSE = 600.0
LONGEST_ANSWER = 180.0  # seconds, from the call to its last byte
LARGEST_ANSWER = 100_000_000  # bytes, unpacked
# Too many calls; the record or the portal is locked for a moment. Nothing has been done yet.
LATER = (423, 429, 477)


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


class _Again(Exception):
    """Not now: try again, after `pause` seconds where HubSpot said so."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


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
        self._away = seconds * 1.02
        self._clock, self._sleep = clock, sleep

    def take(self) -> None:
        """Waits until there is a token, and takes it."""
        if len(self._taken) == self._taken.maxlen:
            while (pause := self._taken[0] + self._away - self._clock()) > 1e-6:
                self._sleep(pause)
        self._taken.append(self._clock())


class Portal:
    """One HubSpot portal, by its token.

    `request` sends any call; the other methods are named for what they do. Raises `HubSpotError`s.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        api_version: str = "2026-09",
        requests_per_10_seconds: int = 100,
        *,
        attempts: int = 6,
        backoff_seconds: float = 1.0,
        timeout_seconds: float = 60.0,
        answer_seconds: float = LONGEST_ANSWER,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        address = urlsplit(base_url)
        is_here = address.scheme == "http" and is_loopback(address.hostname)
        if not address.hostname or (address.scheme != "https" and not is_here):
            raise BadAddress(f"The token is only sent over https, or to this machine: {base_url} is neither.")
        if address.username or address.password or address.query or address.fragment or address.path.strip("/"):
            raise BadAddress("The address of HubSpot has a scheme, a host and perhaps a port, and nothing else.")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise Unauthorized("There is no usable HubSpot token: set the environment variable HUBSPOT_TOKEN to the service key.")
        self.api_version = api_version
        self._attempts, self._backoff, self._sleep = attempts, backoff_seconds, sleep
        self._bucket = TokenBucket(requests_per_10_seconds, clock=clock, sleep=sleep)

        def sign(request: httpx.Request) -> httpx.Request:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        escaped = json.dumps(token)[1:-1]
        self._redact = lambda text: text.replace(token, "[token]").replace(escaped, "[token]")
        self._answer_seconds = answer_seconds
        self._socket: Any = None  # of the connection, to be cut where an answer does not end
        try:
            self._http = httpx.Client(
                base_url=base_url,
                auth=sign,
                timeout=timeout_seconds,
                headers={"User-Agent": "icp-refinery"},
                # To this machine there is nothing to verify, and loading certificates takes a while.
                verify=not is_here,
                # A proxy of the environment would get the token unencrypted.
                trust_env=not is_here,
            )
        except (ImportError, ValueError, httpx.InvalidURL) as problem:
            raise HubSpotError(f"The proxy in the environment (HTTPS_PROXY, ALL_PROXY) cannot be used: {problem}") from None

    def __repr__(self) -> str:
        return f"Portal({str(self._http.base_url)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # What is read.

    def portal_id(self) -> int:
        """The portal's number, which tells whose token this is."""
        return self.ask("GET", "/account-info/{version}/details", "portalId", "portal")

    def groups(self) -> set[str]:
        """The names of the groups of company properties."""
        return {group["name"] for group in self.ask("GET", "/crm/properties/{version}/companies/groups", "results", "groups")}

    def properties(self) -> dict[str, Json]:
        """The company properties by name, with their options."""
        results = self.ask("GET", "/crm/properties/{version}/companies", "results", "properties")
        return {known["name"]: known for known in results if not known.get("archived")}

    def all_companies(self, properties: Sequence[str]) -> Iterator[list[Json]]:
        """All companies of the portal, in pages of 100."""
        path = "/crm/objects/{version}/companies"
        query = {"limit": str(BATCH), "properties": ",".join(properties)}
        seen: set[str] = set()
        while True:
            page = self.request("GET", path, params=query)
            companies = self._part(page, "GET", path, "results", "companies")
            yield companies
            following = self._part(page, "GET", path, "paging", "paging") if page.get("paging") is not None else {}
            after = (following.get("next") or {}).get("after")
            if after is None:
                return
            marks = {f"after {after}", *(company["id"] for company in companies[:1])}
            if marks & seen:
                raise Unreachable(f"GET {path}: the pages go round in a circle; is it HubSpot's?")
            seen |= marks
            query = query | {"after": after}

    def read_companies(self, ids: Sequence[str], properties: Sequence[str], archived: bool = False) -> list[Json]:
        """At most 100 companies; those that are not there are left out, and of a merged one its survivor comes."""
        return self._read(ids, properties, [], archived)

    def read_history(self, ids: Sequence[str], properties: Sequence[str]) -> dict[str, dict[str, list[Json]]]:
        """For each company and property its values, newest first, with where they came from."""
        found: dict[str, dict[str, list[Json]]] = {}
        for start in range(0, len(ids), HISTORY_BATCH):
            for company in self._read(ids[start : start + HISTORY_BATCH], [], properties, False):
                found[company["id"]] = company.get("propertiesWithHistory") or {}
        return found

    def _read(self, ids: Sequence[str], properties: Sequence[str], history: Sequence[str], archived: bool) -> list[Json]:
        body = {"inputs": [{"id": i} for i in ids], "properties": list(properties), "propertiesWithHistory": list(history)}
        query = {"archived": "true"} if archived else None
        return self.ask(
            "POST", "/crm/objects/{version}/companies/batch/read", body=body, params=query, part="results", shape="companies"
        )

    def ask(self, method: str, path: str, part: str, shape: str, **more: Any) -> Any:
        """A part of an answer: one without it, as of a proxy on the way, must not pass for "there is nothing"."""
        return self._part(self.request(method, path, **more), method, path, part, shape)

    def _part(self, answer: Json, method: str, path: str, part: str, shape: str) -> Any:
        where = f"{method} {path.replace('{version}', self.api_version)}"
        if answer.get(part) is None:
            raise Unreachable(f"{where}: the answer has no {part}; is it HubSpot's?")
        try:
            return shaped(answer[part], shape)
        except ValueError as problem:
            raise Unreachable(f"{where}: {part} of the answer cannot be read ({problem}); is it HubSpot's?") from None

    # What is written. There is nothing here that creates or deletes a company.

    def create_group(self, name: str, label: str) -> None:
        """Creates a group of company properties; one that is there already is left as it is."""
        self._create("/crm/properties/{version}/companies/groups", {"name": name, "label": label}, name, self.groups)

    def create_property(self, body: Json) -> None:
        """Creates a company property; one that is there already is left as it is."""
        self._create("/crm/properties/{version}/companies", body, body["name"], self.properties)

    def _create(self, path: str, body: Json, name: str, existing: Callable[[], Any]) -> None:
        try:
            self.request("POST", path, body)
        except (Refused, Unsure) as problem:
            if (isinstance(problem, Refused) and problem.status != 409) or name not in existing():
                raise

    def set_options(self, name: str, options: Sequence[Json]) -> None:
        """Gives a property these options in place of those it has."""
        self.request("PATCH", f"/crm/properties/{{version}}/companies/{name}", {"options": list(options)})

    def update_companies(self, values: dict[str, dict[str, str]]) -> tuple[set[str], dict[str, str]]:
        """Sets properties of at most 100 companies by id. Returns the ids written, and what was said about the others.

        A call that HubSpot refuses as a whole is split until what it refuses is found alone. Raises Unsure where it is not known
        what was written, and Refused where the reason is not one of the records.
        """
        body = {"inputs": [{"id": i, "properties": set_} for i, set_ in values.items()]}
        try:
            answer = self.request("POST", "/crm/objects/{version}/companies/batch/update", body)
        except Refused as problem:
            if problem.status not in (400, 404, 409) or names_missing_property(problem):
                raise
            if len(values) == 1:
                return set(), {next(iter(values)): str(problem)}
            return self._update_halves(values)
        try:
            written = {company["id"] for company in shaped(answer.get("results"), "companies")} & values.keys()
        except ValueError as problem:
            raise Unsure(f"The answer to an update does not say what was written ({problem}); is it HubSpot's?") from None
        said = {str(i): words_of(e) for e in errors_of(answer) for i in ids_of(e)}
        other = "; ".join(words_of(e) for e in errors_of(answer) if not ids_of(e))
        return written, {i: said.get(i) or other or "HubSpot's answer leaves it out" for i in values.keys() - written}

    def _update_halves(self, values: dict[str, dict[str, str]]) -> tuple[set[str], dict[str, str]]:
        records = list(values.items())
        middle = len(records) // 2
        written, refused = self.update_companies(dict(records[:middle]))
        more, others = self.update_companies(dict(records[middle:]))
        return written | more, refused | others

    # How a call goes.

    def pause(self, attempt: int) -> None:
        """Waits before a write is looked at again: longer each time."""
        self._sleep(min(self._backoff * 2**attempt, 30.0))

    def request(self, method: str, path: str, body: Json | None = None, params: dict[str, str] | None = None) -> Json:
        """Sends one call; `{version}` in the path becomes the API version.

        Waits for the rate limit. What only reads is tried again after a broken connection, a 5xx or a 429; a write only after a
        429, which HubSpot answers before it does anything, and where no connection came about.
        """
        path = path.replace("{version}", self.api_version)
        reads = method == "GET" or path.endswith(("/search", "/batch/read"))
        backoff = wait_random_exponential(self._backoff, max=30)

        def wait(state: RetryCallState) -> float:
            pause = state.outcome.exception().pause
            return backoff(state) if pause is None else pause

        attempts = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(self._attempts),
            wait=wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return attempts(self._once, method, path, body, params, reads)
        except _Again as problem:
            raise Unreachable(f"{method} {path}: {problem}, {self._attempts} times") from None

    def _once(self, method: str, path: str, sent: Json | None, params: dict[str, str] | None, reads: bool) -> Json:
        self._bucket.take()
        try:
            response, text = self._answer(method, path, sent, params)
        except (httpx.ConnectError, httpx.ConnectTimeout) as problem:
            raise _Again(f"no connection ({self._redact(str(problem)) or type(problem).__name__})") from None
        except httpx.RequestError as problem:
            if reads:
                raise _Again(f"the connection broke ({type(problem).__name__})") from None
            raise Unsure(f"{method} {path}: the connection broke ({type(problem).__name__})") from None
        where = f"{method} {path}: {response.status_code}"
        if text is None:
            said = f"{where}: the answer has more than {LARGEST_ANSWER:,} bytes; is it HubSpot's?"
            raise Unreachable(said) if reads else Unsure(said)
        body = as_json(text, self._redact)
        if response.is_success and (body is not None or not text):
            return body or {}
        if response.is_success or response.status_code >= 500:
            said = in_words(self._redact(text), body)
            if reads:
                raise self._later(response, where, said)
            raise Unsure(f"{where} {said}")
        raise self._error(response, self._redact(text), body, where, path, reads)

    def _answer(
        self, method: str, path: str, sent: Json | None, params: dict[str, str] | None
    ) -> tuple[httpx.Response, str | None]:
        """An answer and its text; None in its place where it is too large. The connection breaks where it takes too long."""

        def trace(event: str, info: dict[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                self._socket = info["return_value"].get_extra_info("socket")

        def give_up() -> None:
            with suppress(OSError, AttributeError):
                self._socket.shutdown(SHUT_RDWR)

        watch = threading.Timer(self._answer_seconds, give_up)
        watch.daemon = True
        watch.start()
        try:
            with self._http.stream(method, path, json=sent, params=params, extensions={"trace": trace}) as response:
                if len(response.headers.get_list("Content-Encoding", split_commas=True)) > 1:
                    # One chunk of it could unpack to gigabytes, before any bound is looked at.
                    raise httpx.DecodingError("packed twice")
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > LARGEST_ANSWER:
                        return response, None
                return response, content.decode(errors="replace")
        finally:
            watch.cancel()

    def _later(self, response: httpx.Response, where: str, said: str) -> Exception:
        """Another attempt, when HubSpot says, but not in hours."""
        pause = retry_after(response)
        if pause is not None and pause > LONGEST_PAUSE:
            return Unreachable(f"{where}: HubSpot asks to wait {pause:.0f} seconds. Run the same command again later.")
        return _Again(f"{response.status_code} {said}", pause)

    def _error(self, response: httpx.Response, text: str, body: Json | None, where: str, path: str, reads: bool) -> Exception:
        said = in_words(text, body)
        body = body or {}
        if response.status_code in LATER:
            if body.get("policyName") == "DAILY" or "daily" in str(body.get("message", "")).lower():
                return DailyQuota(f"The portal has used up its API calls of today: {said} Run the same command again tomorrow.")
            return self._later(response, where, said)
        if response.status_code == 401:
            return Unauthorized(
                f"HubSpot does not accept the token ({body.get('category') or 401}): it is wrong, revoked or expired. "
                "Make a new service key and set HUBSPOT_TOKEN."
            )
        if response.status_code == 403:
            scopes = scopes_of(body) or scope_of_path(path, reads)
            if scopes:
                return MissingScope(
                    f"The token lacks the scope {', '.join(scopes)} ({where}). Add it to the service key. HubSpot says: {said}"
                )
        return Refused(f"{where} {said}", response.status_code, str(body.get("category", "")), errors_of(body))
