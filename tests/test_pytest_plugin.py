"""Pytest plugin, in test runs of its own: every kind of test, settings, isolation, and failure messages."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# Imported here so that an in-process run does not import them again: extension modules may be imported only once.
import routee_failover.client
import routee_failover.sandbox
import routee_failover.testing  # noqa: F401

ROOT = Path(__file__).parents[1]
PLUGIN = "routee_failover.pytest_plugin"
LOAD_PLUGIN = ("-p", "no:routee_failover", "-p", PLUGIN)  # whether or not the package is installed

PRELUDE = """
    import asyncio
    from datetime import timedelta

    import pytest
    from routee_failover import OtpFlow, OtpSmsStep, RouteeClient

    NUMBER = "+306912345678"

    def otp(pin="847291"):
        return OtpFlow(steps=[OtpSmsStep(to=NUMBER, message=f"Your code is {pin}", ttl=timedelta(hours=1))])
"""


def run(pytester: pytest.Pytester, program: str, *options: str, mode: str = "auto") -> pytest.RunResult:
    """Run a test file with the fixtures in this process; warnings are errors, and the order is fixed."""
    pytester.makeini(
        f"""
        [pytest]
        asyncio_mode = {mode}
        asyncio_default_fixture_loop_scope = function
        filterwarnings = error
        addopts = --strict-markers
        """
    )
    pytester.makepyfile(PRELUDE + program)
    return pytester.runpytest_inprocess(*LOAD_PLUGIN, "-p", "no:randomly", "-p", "no:cacheprovider", *options)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_fixtures_work_in_async_anyio_and_sync_tests(pytester: pytest.Pytester, mode: str) -> None:
    """Async tests in either mode of pytest-asyncio, in a loop of their own or a shared one, anyio's, and plain ones."""
    result = run(
        pytester,
        """
    @pytest.mark.asyncio
    async def test_async(routee_client, routee_inbox):
        await routee_client.send(otp("1111"))
        assert await routee_inbox.pin_for(NUMBER) == "1111"

    @pytest.mark.asyncio(loop_scope="session")
    @pytest.mark.parametrize("pin", ["2222", "3333"])
    async def test_in_a_shared_loop(routee_client, routee_inbox, pin):
        await routee_client.send(otp(pin))
        assert await routee_inbox.pin_for(NUMBER) == pin

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.anyio
    async def test_anyio(routee_client, routee_inbox):
        await routee_client.send(otp("4444"))
        assert await routee_inbox.texts_to(NUMBER) == ["Your code is 4444"]

    def test_plain(routee_sandbox, routee_inbox):
        async def send():
            async with RouteeClient(routee_sandbox.config()) as routee:
                await routee.send(otp("5555"))

        asyncio.run(send())
        assert asyncio.run(routee_inbox.pin_for(NUMBER)) == "5555"
    """,
        mode=mode,
    )
    result.assert_outcomes(passed=5)


def test_each_test_gets_its_own_sandbox(pytester: pytest.Pytester) -> None:
    """A test does not see what another one sends or scripts; fixtures of one test share one sandbox."""
    result = run(
        pytester,
        """
    @pytest.mark.parametrize("again", range(3))
    async def test_alone(routee_sandbox, routee_client, routee_inbox, again):
        assert (routee_sandbox.accepted, routee_sandbox.rules) == ([], [])
        assert routee_inbox is routee_sandbox.inbox
        routee_sandbox.script(sms="undelivered")
        await routee_client.send(otp())
        assert len(routee_sandbox.accepted) == 1
    """,
    )
    result.assert_outcomes(passed=3)


def test_xdist_workers_use_separate_sandboxes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under xdist the tests of every worker have their own sandboxes on their own ports."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other installed plugins would cost time
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(
        PRELUDE
        + """
    @pytest.mark.parametrize("index", range(12))
    async def test_alone(routee_sandbox, routee_client, routee_inbox, index):
        await routee_client.send(otp(str(1000 + index)))
        assert await routee_inbox.pin_for(NUMBER) == str(1000 + index)
        assert len(routee_sandbox.accepted) == 1
    """
    )
    result = pytester.runpytest_subprocess("-p", PLUGIN, "-p", "xdist", "-p", "pytest_asyncio.plugin", "-n", "2")
    result.assert_outcomes(passed=12)


def test_closest_sandbox_setting_wins(pytester: pytest.Pytester) -> None:
    """The clock runs 60 times as fast unless the settings fixture or a marker overrides it; the closest one wins."""
    result = run(
        pytester,
        """
    def speed(sandbox):
        return sandbox._clock.speed

    def test_default(routee_sandbox):
        assert speed(routee_sandbox) == 60

    @pytest.mark.routee_sandbox(speed=7, max_flows=3)
    class TestMarked:
        def test_class(self, routee_sandbox):
            assert (speed(routee_sandbox), routee_sandbox._flow_store._max_flows) == (7, 3)

        @pytest.mark.routee_sandbox(speed=0)
        def test_function(self, routee_sandbox):
            assert (speed(routee_sandbox), routee_sandbox._flow_store._max_flows) == (0, 3)

    class TestOverridden:
        @pytest.fixture
        def routee_sandbox_settings(self):
            return {"speed": 5, "max_flows": 9}

        def test_fixture(self, routee_sandbox):
            assert (speed(routee_sandbox), routee_sandbox._flow_store._max_flows) == (5, 9)

        @pytest.mark.routee_sandbox(speed=0)
        def test_marker_over_fixture(self, routee_sandbox):
            assert (speed(routee_sandbox), routee_sandbox._flow_store._max_flows) == (0, 9)

    @pytest.mark.routee_sandbox(speed=0)
    async def test_time_passes_on_advance(routee_sandbox, routee_client, routee_inbox):
        await routee_client.send(otp())
        await routee_sandbox.advance(timedelta(minutes=1))
        assert await routee_inbox.texts_to(NUMBER) == ["Your code is 847291"]
    """,
    )
    result.assert_outcomes(passed=6)


def test_invalid_sandbox_setting_fails_in_one_line(pytester: pytest.Pytester) -> None:
    """A wrong setting is reported in one line at the test that requests it."""
    result = run(
        pytester,
        """
    @pytest.mark.routee_sandbox(sped=0)
    def test_misspelt(routee_sandbox): ...

    @pytest.mark.routee_sandbox(0)
    def test_nameless(routee_sandbox): ...

    @pytest.mark.routee_sandbox(speed=-1)
    def test_backwards(routee_sandbox): ...
    """,
    )
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines_random(
        [
            "the Routee sandbox cannot start: there is no setting 'sped'; the settings are host, port, speed,*",
            "@pytest.mark.routee_sandbox takes keyword arguments, such as speed=0",
            "the Routee sandbox cannot start: speed must be 0 or more*",
        ]
    )
    result.stdout.no_fnmatch_line("*During handling*")


def test_inbox_timeout_is_reported_at_the_line_of_the_test(pytester: pytest.Pytester) -> None:
    """A failure shows the line of the test and what did arrive; no PIN, and no frame of this package."""
    result = run(
        pytester,
        """
    async def test_wrong_number(routee_client, routee_inbox):
        await routee_client.send(otp())
        await routee_inbox.pin_for("+306900000000", timeout=0.05)
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*await routee_inbox.pin_for("+306900000000", timeout=0.05)',
            "E*InboxTimeout: no PIN for +306900000000 has arrived within 0.05 s",
            "E* flow 1: otp to +306912345678, with a PIN: *",
        ]
    )
    result.stdout.no_fnmatch_line("*inbox.py*")
    result.stdout.no_fnmatch_line("*loop_thread.py*")


def test_missing_sandbox_extra_fails_only_the_test_that_needs_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the sandbox extra is not installed, only a test that requests one fails, and the error says what to do."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]")  # or pytest would use the settings of a project above this folder
    pytester.makepyfile(
        """
    import sys
    import pytest

    @pytest.fixture(autouse=True)
    def not_installed(monkeypatch):
        monkeypatch.setitem(sys.modules, "jsonschema_rs", None)

    def test_other(): ...

    def test_sandbox(routee_sandbox): ...
    """
    )
    result = pytester.runpytest_subprocess("-p", PLUGIN)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(['the Routee sandbox cannot start: *pip install "routee-failover?sandbox?"'])


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_mock_fixture_works_in_async_anyio_and_sync_tests(pytester: pytest.Pytester, mode: str) -> None:
    """Every kind of test gets a mock of its own, whose client needs no closing, and a server of its own is reached."""
    result = run(
        pytester,
        """
    import aiohttp
    from aiohttp import web
    from aiohttp.test_utils import TestClient, TestServer

    @pytest.mark.asyncio
    @pytest.mark.parametrize("pin", ["1111", "2222"])
    async def test_async(routee_mock, pin):
        await routee_mock.client().send(otp(pin))
        assert [request.flow for request in routee_mock.sent] == [otp(pin)]

    @pytest.mark.asyncio(loop_scope="session")
    async def test_in_a_shared_loop(routee_mock):
        await routee_mock.client().send(otp())
        assert len(routee_mock.sent) == 1

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.anyio
    async def test_anyio(routee_mock):
        await routee_mock.client().send(otp())
        assert len(routee_mock.sent) == 1

    def test_plain(routee_mock):
        asyncio.run(routee_mock.client().send(otp()))
        assert len(routee_mock.sent) == 1

    @pytest.mark.asyncio
    async def test_service(routee_mock):
        routee = routee_mock.client()

        async def login(request):
            await routee.send(otp())
            return web.Response()

        app = web.Application()
        app.add_routes([web.post("/login", login)])
        async with TestClient(TestServer(app)) as service:
            assert (await service.post("/login")).status == 200
        assert len(routee_mock.sent) == 1
    """,
        mode=mode,
    )
    result.assert_outcomes(passed=6)


def test_missing_aioresponses_fails_only_the_test_that_needs_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If aioresponses is not installed, only a test that requests the mock fails, and the error says what to do."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]")
    pytester.makepyfile(
        """
    import sys
    import pytest

    @pytest.fixture(autouse=True)
    def not_installed(monkeypatch):
        monkeypatch.setitem(sys.modules, "aioresponses", None)

    def test_other(): ...

    def test_mock(routee_mock): ...
    """
    )
    result = pytester.runpytest_subprocess("-p", PLUGIN)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(['RouteeMock needs aioresponses*pip install "routee-failover?testing?"'])


def test_loading_the_plugin_imports_nothing_else() -> None:
    """Loading the plugin imports no library that pytest had not imported, and nothing else of this package."""
    code = f"import sys, pytest; before = set(sys.modules)\nimport {PLUGIN}\nprint(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names] == [
        "routee_failover",
        PLUGIN,
    ]


def test_plugin_is_declared_as_an_entry_point() -> None:
    """The package declares the plugin; this project's own runs exclude it by the same name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    ((name, module),) = project["project"]["entry-points"]["pytest11"].items()
    assert module == PLUGIN
    assert f"no:{name}" in project["tool"]["pytest"]["ini_options"]["addopts"]
