import pytest

from tests.pages.browser import PROGRAM, Browser


@pytest.fixture(scope="session")
def running_browser():
    """Start one browser for all tests."""
    if PROGRAM is None:
        pytest.skip("no Chromium is installed; apt-get install chromium-headless-shell")
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(running_browser, tmp_path):
    """Return the browser, with an empty storage; it saves files in ``downloads``."""
    running_browser.call("Page.navigate", url="about:blank")
    running_browser.call("Storage.clearDataForOrigin", origin="file://", storageTypes="all")
    running_browser.downloads = tmp_path / "downloads"
    running_browser.downloads.mkdir()
    running_browser.call(
        "Browser.setDownloadBehavior",
        behavior="allow",
        downloadPath=str(running_browser.downloads),
    )
    yield running_browser
    assert running_browser.log == []
