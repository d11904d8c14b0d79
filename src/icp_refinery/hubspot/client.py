"""HubSpot's API over HTTP: the rate limit, retries, errors in words. The token goes into one header and nowhere else."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
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
    words_of,
)
from icp_refinery.hubspot.errors import (
    DailyQuota,
    HubSpotError,
    Json,
    MissingScope,
    Refused,
    Unauthorized,
    Unreachable,
    Unsure,
)

BATCH = 100
HISTORY_BATCH = 50
LONGEST_PAUSE = 600.0
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
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        address = urlsplit(base_url)
        is_here = address.scheme == "http" and is_loopback(address.hostname)
        if address.scheme != "https" and not is_here:
            raise ValueError("the token is only sent over https, or to this machine")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise Unauthorized("There is no usable HubSpot token: set the environment variable HUBSPOT_TOKEN to the service key.")
        self.api_version = api_version
        self._attempts, self._backoff, self._sleep = attempts, backoff_seconds, sleep
        self._bucket = TokenBucket(requests_per_10_seconds, clock=clock, sleep=sleep)

        def sign(request: httpx.Request) -> httpx.Request:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        self._redact = lambda text: text.replace(token, "[token]")
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
        return int(self.ask("GET", "/account-info/{version}/details", "portalId")["portalId"])

    def groups(self) -> set[str]:
        """The names of the groups of company properties."""
        return {group["name"] for group in self.ask("GET", "/crm/properties/{version}/companies/groups")["results"]}

    def properties(self) -> dict[str, Json]:
        """The company properties by name, with their options."""
        results = self.ask("GET", "/crm/properties/{version}/companies")["results"]
        return {known["name"]: known for known in results if not known.get("archived")}

    def all_companies(self, properties: Sequence[str]) -> Iterator[list[Json]]:
        """All companies of the portal, in pages of 100."""
        query = {"limit": str(BATCH), "properties": ",".join(properties)}
        while True:
            page = self.ask("GET", "/crm/objects/{version}/companies", params=query)
            yield page["results"]
            after = ((page.get("paging") or {}).get("next") or {}).get("after")
            if after is None:
                return
            query = query | {"after": str(after)}

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
        return self.ask("POST", "/crm/objects/{version}/companies/batch/read", body=body, params=query)["results"]

    def ask(self, method: str, path: str, part: str = "results", **more: Any) -> Json:
        """An answer that has this part: one without it, as of a proxy on the way, must not pass for "there is nothing"."""
        answer = self.request(method, path, **more)
        if answer.get(part) is None:
            raise Unreachable(
                f"{method} {path.replace('{version}', self.api_version)}: the answer has no {part}; is it HubSpot's?"
            )
        return answer

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
        if answer.get("results") is None:
            raise Unsure("The answer to an update does not say what was written; is it HubSpot's?")
        written = {str(company["id"]) for company in answer["results"]} & values.keys()
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
            response = self._http.request(method, path, json=sent, params=params)
        except (httpx.ConnectError, httpx.ConnectTimeout) as problem:
            raise _Again(f"no connection ({self._redact(str(problem)) or type(problem).__name__})") from None
        except httpx.TransportError as problem:
            if reads:
                raise _Again(f"the connection broke ({type(problem).__name__})") from None
            raise Unsure(f"{method} {path}: the connection broke ({type(problem).__name__})") from None
        where = f"{method} {path}: {response.status_code}"
        # An answer that repeats the token is not taken at its word.
        text = self._redact(response.text)
        body = as_json(text)
        if response.is_success and (body is not None or not text):
            return body or {}
        if response.is_success or response.status_code >= 500:
            said = in_words(text, body)
            if reads:
                raise _Again(f"{response.status_code} {said}", retry_after(response))
            raise Unsure(f"{where} {said}")
        raise self._error(response, text, body, where, path, reads)

    def _error(self, response: httpx.Response, text: str, body: Json | None, where: str, path: str, reads: bool) -> Exception:
        said = in_words(text, body)
        body = body or {}
        if response.status_code in LATER:
            if body.get("policyName") == "DAILY" or "daily" in str(body.get("message", "")).lower():
                return DailyQuota(f"The portal has used up its API calls of today: {said} Run the same command again tomorrow.")
            pause = retry_after(response)
            if pause is not None and pause > LONGEST_PAUSE:
                return Unreachable(f"{where}: HubSpot asks to wait {pause:.0f} seconds. Run the same command again later.")
            return _Again(f"{response.status_code} {said}", pause)
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
