"""The report in a browser: it renders, asks the network for nothing, and what can be clicked works."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import nmrdyn as nd

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install selenium")
from selenium.webdriver.chrome.options import Options  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

TITLE = '<img src=x onerror=alert(1)> </script><script>alert(2)</script> "quoted" $\\alpha$ Å'
HOP = 'Na <b>"hop"<b>'
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1200,900"
)


@pytest.fixture(scope="module")
def page(sodium, tmp_path_factory):
    """The report of a short run: five recoveries, one without T1, and a conductivity; T1 from 100 s to 4 s."""
    truth = replace(sodium, temperature=[280.0, 300.0, 310.0, 320.0, 333.15])
    recovery = nd.simulate(truth, seed=1)
    recovery["signal"][1] = np.nan
    recovery["reason"][1] = "<i>zeros</i>"
    eis = nd.simulate(
        nd.ConductivityTruth(
            activation_energy=0.55, conductivity=1e-2, reference_temperature=333.15, temperature=range(280, 340, 10)
        ),
        seed=1,
    )
    mechanism = nd.BPP(nucleus="23Na", cq=1e6, eta=0.1)
    processes = [
        nd.Process(HOP, recovery, mechanism=mechanism, recovery=nd.SingleExponential(), role="hop"),
        nd.Process("eis", eis, mechanism=nd.Conductivity("sigma_T")),
    ]
    posterior = nd.infer(processes, seed=1, max_steps=250, likelihood="fast")
    posterior.attrs |= {"study": TITLE, "passed": 1}
    folder = tmp_path_factory.mktemp("browser")
    nd.report(posterior, folder)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = Options()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, page):
    """The report, just opened, with logs that begin there."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())
    return browser


def requests(driver):
    """The addresses that were asked for, other than by the browser for itself."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    return [url for url in sent if not url.startswith(("chrome:", "chrome-untrusted:", "chrome-extension:", "about:"))]


def one(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def many(driver, selector):
    return driver.find_elements(By.CSS_SELECTOR, selector)


def point(driver):
    return one(driver, "section[aria-labelledby=fits] .point[data-recovery]")


# What is loaded


def test_report_renders_without_an_error_and_asks_for_nothing(opened, page):
    images = many(opened, "img")
    assert len(images) > 8
    assert all(opened.execute_script("return arguments[0].naturalWidth > 0", image) for image in images)
    assert opened.get_log("browser") == []
    asked = requests(opened)
    assert asked.count(page.as_uri()) == 1
    assert [url[:60] for url in asked if url != page.as_uri() and not url.startswith("data:image/")] == []


def test_a_request_and_an_error_would_be_seen(browser, tmp_path):
    file = tmp_path / "bad.html"
    file.write_text('<img src="http://127.0.0.1:9/x.png"><script>console.error("seen")</script>', encoding="utf-8")
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(file.as_uri())
    assert "http://127.0.0.1:9/x.png" in requests(browser)
    assert any("seen" in entry["message"] for entry in browser.get_log("browser"))


def test_policy_stops_scripts_and_requests_that_are_not_the_reports(opened):
    opened.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s);"
        "const i = document.createElement('img'); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i);"
    )
    assert opened.execute_script("return window.broken") is None
    refused = [one["message"] for one in opened.get_log("browser") if "Content Security Policy" in one["message"]]
    assert any("inline script" in message for message in refused)
    assert any("x.png" in message for message in refused)


def test_title_and_names_are_text(opened):
    assert opened.title == " ".join(TITLE.split())
    assert one(opened, "h1").text == " ".join(TITLE.split())
    assert many(opened, "h1 *, b, i, script:not(body > script)") == []
    assert any(HOP in cell.text for cell in many(opened, "#table-read td"))
    # An alert that fired would stand in the way of this.
    assert opened.execute_script("return 1") == 1


# Tables


def values(driver, identity, column):
    return driver.execute_script(
        "const rows = [...document.getElementById(arguments[0]).tBodies[0].rows];"
        "return rows.map(row => row.cells[arguments[1]].dataset.value)",
        identity,
        column,
    )


def test_columns_sort_by_their_numbers_both_ways(opened):
    identity, column = "table-fits-0", 3  # T1
    head = many(opened, f"#{identity} th")[column]
    before = [float(value or "nan") for value in values(opened, identity, column)]
    known = sorted(value for value in before if not np.isnan(value))
    assert len(known) == 4
    assert known != sorted(known, key=str)  # so that the order of text would be another
    button = head.find_element(By.TAG_NAME, "button")
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(value) for value in values(opened, identity, column)[:4]] == known
    assert values(opened, identity, column)[4] in ("", "nan")
    button.send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(value) for value in values(opened, identity, column)[:4]] == known[::-1]
    assert values(opened, identity, column)[4] in ("", "nan")
    other = many(opened, f"#{identity} th")[0]
    other.find_element(By.TAG_NAME, "button").click()
    assert head.get_attribute("aria-sort") is None
    assert other.get_attribute("aria-sort") == "ascending"


def copied(driver):
    """Wait until the page says that it copied, for ten seconds at most."""
    WebDriverWait(driver, 10).until(lambda _: one(driver, "#status").get_property("textContent") == "Copied.")


def pasted(driver):
    """What the clipboard holds, by pasting it."""
    driver.execute_script(
        "const t = document.createElement('textarea'); t.id = 'paste'; document.body.append(t); t.focus()"
    )
    area = one(driver, "#paste")
    area.send_keys(Keys.CONTROL, "v")
    text = area.get_property("value")
    driver.execute_script("arguments[0].remove()", area)
    return text


@pytest.mark.parametrize("modern", [True, False])
def test_a_table_is_copied_as_tsv(opened, modern):
    if not modern:
        opened.execute_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    scroll = one(opened, "#table-barriers").find_element(By.XPATH, "..")
    button = scroll.find_element(By.XPATH, "following-sibling::button")
    button.click()
    copied(opened)
    rows = [line.split("\t") for line in pasted(opened).strip().split("\n")]
    assert rows[0][:2] == ["Barrier", "Role"]
    assert len({len(row) for row in rows}) == 1
    assert [row[0].split(" σT")[0] for row in rows[1:]] == [HOP, "eis"]
    assert all("±" in row[2] for row in rows[1:])


def test_methods_are_copied_with_their_references(opened):
    one(opened, "#methods-text + button").click()
    copied(opened)
    text = pasted(opened)
    assert "23Na" in text
    assert "10.1086/670067" in text


# Points


def test_hovering_over_a_point_shows_its_experiment(opened):
    spot = point(opened)
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", spot)
    shown = "return getComputedStyle(arguments[0], '::after').content"
    assert opened.execute_script(shown, spot) == "none"
    ActionChains(opened).move_to_element(spot).perform()
    said = opened.execute_script(shown, spot)
    assert "expno 1, 6.9 °C: T1 = " in said or "expno 5, 60.0 °C: T1 = " in said
    assert " ± " in said
    assert spot.get_attribute("aria-label") in said.replace('\\"', '"')


def test_enter_on_a_point_opens_its_recovery_and_escape_returns(opened):
    spot = point(opened)
    wanted = one(opened, f"#{spot.get_attribute('data-recovery')} img").get_attribute("src")
    opened.execute_script("arguments[0].focus()", spot)
    assert "expno" in opened.execute_script("return getComputedStyle(arguments[0], '::after').content", spot)
    spot.send_keys(Keys.ENTER)
    viewer = one(opened, "#viewer")
    assert viewer.get_property("open")
    assert one(opened, "#viewer img").get_attribute("src") == wanted
    assert one(opened, "#viewer img").size["width"] > 400
    ActionChains(opened).send_keys(Keys.ESCAPE).perform()
    assert not viewer.get_property("open")
    assert opened.switch_to.active_element == spot


def test_a_click_opens_the_recovery_and_the_button_closes_it(opened):
    spot = point(opened)
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", spot)
    spot.click()
    title = one(opened, "#viewer-title").text
    assert title == one(opened, f"#{spot.get_attribute('data-recovery')} figcaption").text
    one(opened, "#viewer button").click()
    assert not one(opened, "#viewer").get_property("open")


def test_arrow_keys_go_from_point_to_point(opened):
    spots = many(opened, "section[aria-labelledby=fits] figure.points:first-of-type .point")
    assert [spot.get_property("tabIndex") for spot in spots] == [0] + [-1] * (len(spots) - 1)
    opened.execute_script("arguments[0].focus()", spots[0])
    ActionChains(opened).send_keys(Keys.ARROW_RIGHT).perform()
    assert opened.switch_to.active_element == spots[1]
    ActionChains(opened).send_keys(Keys.END).perform()
    assert opened.switch_to.active_element == spots[-1]


def test_without_scripts_a_point_leads_to_its_recovery_or_row(browser, page):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page.as_uri())
        targets = {spot.get_attribute("href").split("#")[1] for spot in many(browser, ".point")}
        assert len(targets) > 8
        for target in targets:
            assert len(many(browser, f"[id='{target}']")) == 1
        assert many(browser, "th button, .copy") == []
        spot = point(browser)
        spot.send_keys(Keys.ENTER)
        assert browser.current_url.endswith(spot.get_attribute("data-recovery"))
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


# How it looks


CONTRAST = """
const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = (rgb) => { const [r, g, b] = rgb.map(v => linear(v / 255));
                         return .2126 * r + .7152 * g + .0722 * b; };
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
                        if (c.length < 4 || c[3] > .99) return c.slice(0, 3); } return [255, 255, 255]; };
let worst = [99, ""];
for (const e of document.querySelectorAll("body *")) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || e.matches("script, dialog *") || !e.checkVisibility()) continue;
  const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 80)];
}
return [worst, behind(document.body)];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_light_and_dark(opened, scheme):
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        (ratio, where), paper = opened.execute_script(CONTRAST)
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert (np.mean(paper) < 60) == (scheme == "dark")
    assert ratio >= 4.5, where  # WCAG 2.2, 1.4.3


def test_a_phone_has_no_sideways_scroll(opened):
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        width, inner = opened.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        table, box = opened.execute_script(
            "const t = document.getElementById('table-fits-0'); return [t.scrollWidth, t.parentElement.clientWidth]"
        )
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert inner == 390
    assert width <= inner
    assert table > box  # which scrolls in its own box


def test_print_opens_what_is_folded_on_a_white_page(opened):
    opened.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    try:
        assert many(opened, "details:not([open])")
        shown = opened.execute_script(
            "const folded = [...document.querySelectorAll('details table, details img')];"
            "return folded.map(e => e.checkVisibility({contentVisibilityAuto: true}) && e.getClientRects().length > 0)"
        )
        paper = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
        hidden = opened.execute_script("return getComputedStyle(document.querySelector('nav')).display")
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert shown
    assert all(shown)
    assert paper == "rgb(255, 255, 255)"
    assert hidden == "none"


def test_headings_go_down_one_step_at_a_time_and_links_lead_somewhere(opened):
    levels = [int(head.tag_name[1]) for head in many(opened, "main h2, main h3, main h4, h1")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    identities = opened.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(identities) == len(set(identities))
    links = opened.execute_script("return [...document.querySelectorAll('a[href]')].map(e => e.getAttribute('href'))")
    assert all(link.startswith("#") and link[1:] in identities for link in links)
    assert all(image.get_attribute("alt") for image in many(opened, "main img"))


def test_the_first_stop_of_the_tab_key_skips_to_the_verdict(opened):
    one(opened, "body").send_keys(Keys.TAB)
    link = opened.switch_to.active_element
    assert link.get_attribute("class") == "skip"
    assert link.rect["x"] >= 0
    link.send_keys(Keys.ENTER)
    assert opened.current_url.endswith("#verdict")
