"""HubSpot's API over HTTP: the rate limit, retries, errors in words. The token goes into one header and nowhere else."""

import json
import threading
import time
from collections.abc import Callable, Sequence
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
from icp_refinery.hubspot.pace import TokenBucket

HUBSPOT = "https://api.hubapi.com"
BATCH = 100
HISTORY_BATCH = 50
RECORD_ID = "hs_object_id"
LONGEST_PAUSE = 600.0
WINDOW = 10.0  # seconds in which HubSpot counts calls, those of the command before too
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


class Portal:
    """One HubSpot portal, by its token.

    `request` sends any call; the other methods are named for what they do. Where they ask for one, `of` is an object as in
    HubSpot's paths: `companies`, `contacts`, `deals`. May be used by several threads at once. Raises `HubSpotError`s.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        api_version: str = "2026-09",
        requests_per_10_seconds: int = 100,
        calls_at_once: int = 8,
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
        self.api_version, self.calls_at_once = api_version, calls_at_once
        self._attempts, self._backoff, self._sleep = attempts, backoff_seconds, sleep
        self._bucket = TokenBucket(requests_per_10_seconds, clock=clock, sleep=sleep)

        def sign(request: httpx.Request) -> httpx.Request:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        escaped = json.dumps(token)[1:-1]
        self._redact = lambda text: text.replace(token, "[token]").replace(escaped, "[token]")
        self._answer_seconds = answer_seconds
        # To this machine there is nothing to verify, and loading certificates takes a while.
        verify = False if is_here else httpx.create_ssl_context()
        # One connection for each thread, so that it is known which one to cut where an answer does not end.
        self._here = threading.local()
        self._clients: list[httpx.Client] = []

        def connect() -> httpx.Client:
            client = httpx.Client(
                base_url=base_url,
                auth=sign,
                timeout=timeout_seconds,
                headers={"User-Agent": "icp-refinery"},
                verify=verify,
                # A proxy of the environment would get the token unencrypted.
                trust_env=not is_here,
            )
            self._clients.append(client)
            return client

        self._connect, self._base_url = connect, base_url
        try:
            self._here.http = connect()
        except (ImportError, ValueError, httpx.InvalidURL) as problem:
            raise HubSpotError(f"The proxy in the environment (HTTPS_PROXY, ALL_PROXY) cannot be used: {problem}") from None

    def __repr__(self) -> str:
        return f"Portal({self._base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    # What is read.

    def portal_id(self) -> int:
        """The portal's number, which tells whose token this is."""
        return self.ask("GET", "/account-info/{version}/details", "portalId", "portal")

    def groups(self, of: str = "companies") -> set[str]:
        """The names of the groups of an object's properties."""
        return {group["name"] for group in self.ask("GET", f"/crm/properties/{{version}}/{of}/groups", "results", "groups")}

    def properties(self, of: str = "companies") -> dict[str, Json]:
        """The properties of an object by name, with their options."""
        results = self.ask("GET", f"/crm/properties/{{version}}/{of}", "results", "properties")
        return {known["name"]: known for known in results if not known.get("archived")}

    def page(self, of: str, properties: Sequence[str], after: str | None = None) -> tuple[list[Json], str | None]:
        """A page of at most 100 records, and where the next begins; None after the last."""
        path = f"/crm/objects/{{version}}/{of}"
        query = {"limit": str(BATCH), "properties": ",".join(properties or [RECORD_ID])}
        page = self.request("GET", path, params=query if after is None else query | {"after": after})
        records = self._part(page, "GET", path, "results", "records")
        following = self._part(page, "GET", path, "paging", "paging") if page.get("paging") is not None else {}
        return records, (following.get("next") or {}).get("after")

    def newest(self, of: str) -> int:
        """The highest id of an object's records; 0 where there is none."""
        sorts = [{"propertyName": RECORD_ID, "direction": "DESCENDING"}]
        body = {"filterGroups": [], "properties": [RECORD_ID], "sorts": sorts, "limit": 1, "after": "0"}
        found = self.ask("POST", f"/crm/objects/{{version}}/{of}/search", body=body, part="results", shape="records")
        return max((int(record["id"]) for record in found if record["id"].isdigit()), default=0)

    def read_records(self, of: str, ids: Sequence[str], properties: Sequence[str], archived: bool = False) -> list[Json]:
        """At most 100 records; those that are not there are left out, and of a merged one its survivor comes."""
        return self._read(of, ids, properties, [], archived)

    def read_history(self, of: str, ids: Sequence[str], properties: Sequence[str]) -> dict[str, dict[str, list[Json]]]:
        """For each record and property its values, newest first, with where they came from."""
        found: dict[str, dict[str, list[Json]]] = {}
        for start in range(0, len(ids), HISTORY_BATCH):
            for record in self._read(of, ids[start : start + HISTORY_BATCH], [], properties, False):
                found[record["id"]] = record.get("propertiesWithHistory") or {}
        return found

    def _read(self, of: str, ids: Sequence[str], properties: Sequence[str], history: Sequence[str], archived: bool) -> list[Json]:
        # Without any HubSpot would send its own choice, a contact's e-mail among it.
        body = {"inputs": [{"id": i} for i in ids], "properties": list(properties) or [RECORD_ID]}
        body["propertiesWithHistory"] = list(history)
        query = {"archived": "true"} if archived else None
        path = f"/crm/objects/{{version}}/{of}/batch/read"
        return self.ask("POST", path, body=body, params=query, part="results", shape="records")

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

    # What is written. There is nothing here that creates or deletes a record.

    def create_group(self, of: str, name: str, label: str) -> None:
        """Creates a group of an object's properties; one that is there already is left as it is."""
        self._create(f"/crm/properties/{{version}}/{of}/groups", {"name": name, "label": label}, lambda: self.groups(of))

    def create_property(self, of: str, body: Json) -> None:
        """Creates a property; one that is there already is left as it is."""
        self._create(f"/crm/properties/{{version}}/{of}", body, lambda: self.properties(of))

    def _create(self, path: str, body: Json, existing: Callable[[], Any]) -> None:
        try:
            self.request("POST", path, body)
        except (Refused, Unsure) as problem:
            if (isinstance(problem, Refused) and problem.status != 409) or body["name"] not in existing():
                raise

    def set_options(self, of: str, name: str, options: Sequence[Json]) -> None:
        """Gives a property these options in place of those it has."""
        self.request("PATCH", f"/crm/properties/{{version}}/{of}/{name}", {"options": list(options)})

    def update_records(self, of: str, values: dict[str, dict[str, str]]) -> tuple[set[str], dict[str, str]]:
        """Sets properties of at most 100 records by id. Returns the ids written, and what was said about the others.

        A call that HubSpot refuses as a whole is split until what it refuses is found alone. Raises Unsure where it is not known
        what was written, and Refused where the reason is not one of the records.
        """
        body = {"inputs": [{"id": i, "properties": set_} for i, set_ in values.items()]}
        try:
            answer = self.request("POST", f"/crm/objects/{{version}}/{of}/batch/update", body)
        except Refused as problem:
            if problem.status not in (400, 404, 409) or names_missing_property(problem):
                raise
            if len(values) == 1:
                return set(), {next(iter(values)): str(problem)}
            return self._update_halves(of, values)
        try:
            written = {record["id"] for record in shaped(answer.get("results"), "records")} & values.keys()
        except ValueError as problem:
            raise Unsure(f"The answer to an update does not say what was written ({problem}); is it HubSpot's?") from None
        said = {str(i): words_of(e) for e in errors_of(answer) for i in ids_of(e)}
        other = "; ".join(words_of(e) for e in errors_of(answer) if not ids_of(e))
        return written, {i: said.get(i) or other or "HubSpot's answer leaves it out" for i in values.keys() - written}

    def _update_halves(self, of: str, values: dict[str, dict[str, str]]) -> tuple[set[str], dict[str, str]]:
        records = list(values.items())
        middle = len(records) // 2
        written, refused = self.update_records(of, dict(records[:middle]))
        more, others = self.update_records(of, dict(records[middle:]))
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

        here = self._here.__dict__
        http = here.get("http") or here.setdefault("http", self._connect())

        def trace(event: str, info: dict[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                here["socket"] = info["return_value"].get_extra_info("socket")

        def give_up() -> None:
            with suppress(OSError, KeyError):
                here["socket"].shutdown(SHUT_RDWR)

        watch = threading.Timer(self._answer_seconds, give_up)
        watch.daemon = True
        watch.start()
        try:
            with http.stream(method, path, json=sent, params=params, extensions={"trace": trace}) as response:
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

    def _later(self, response: httpx.Response, where: str, said: str, policy: str = "") -> Exception:
        """Another attempt, when HubSpot says, but not in hours. All attempts together last longer than its window."""
        pause = retry_after(response)
        if pause is None and policy == "TEN_SECONDLY_ROLLING":
            pause = 1.25 * WINDOW / (self._attempts - 1)
        if pause is not None and pause > LONGEST_PAUSE:
            return Unreachable(f"{where}: HubSpot asks to wait {pause:.0f} seconds. Run the same command again later.")
        return _Again(f"{response.status_code} {said}", pause)

    def _error(self, response: httpx.Response, text: str, body: Json | None, where: str, path: str, reads: bool) -> Exception:
        said = in_words(text, body)
        body = body or {}
        if response.status_code in LATER:
            if body.get("policyName") == "DAILY" or "daily" in str(body.get("message", "")).lower():
                return DailyQuota(f"The portal has used up its API calls of today: {said} Run the same command again tomorrow.")
            return self._later(response, where, said, str(body.get("policyName")))
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
