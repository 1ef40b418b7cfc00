//! The board's page in a real browser, on a desk and on a phone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};

use common::browser::Browser;
use common::rtsp::free_port;
use common::running::Board;
use common::{eventually, lite, tiny, write_config};

const TOKEN: &str = "a-token-of-32-characters-0123456";

/// A board whose model can tell where it looks, with an event again and again.
fn board(folder: &Path) -> (Board, String) {
    let port = free_port();
    lite::looking_bundle(&folder.join("bundle"));
    tiny::event_video(&folder.join("event.mp4"), 6, 2, 2);
    std::fs::write(folder.join("token"), TOKEN).unwrap();
    let mask = "{ name = \"house\", points = [[0.7, 0.0], [1.0, 0.0], [1.0, 0.4], [0.7, 0.4]] }";
    write_config(
        folder,
        &format!(
            "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n\
             [page]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"token\"\ncommands = true\n\
             [evidence]\npre_roll_ms = 1000\npost_roll_ms = 500\n\
             [score]\nraise_threshold = 0.0\nclear_threshold = 0.0\ncool_down_ms = 0\n\
             [[camera]]\nid = \"north\"\ntolerate = [\"covered\", \"frozen\", \"dark\", \"moved\"]\n\
             source = {{ kind = \"file\", path = \"event.mp4\", loop = true }}\nmask = [{mask}]\n"
        ),
    );
    let daemon = Board::start(folder);
    eventually("the page is there", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    (daemon, format!("http://127.0.0.1:{port}/"))
}

/// Whether a pixel of the live picture has a colour.
const COLOURED: &str = "(() => { const img = document.querySelector('.picture img'); if (!img.naturalWidth) return false; const c = document.createElement('canvas'); \
    c.width = img.naturalWidth; c.height = img.naturalHeight; const p = c.getContext('2d'); p.drawImage(img, 0, 0); \
    const d = p.getImageData(0, 0, c.width, c.height).data; \
    for (let i = 0; i < d.length; i += 4) if (Math.max(d[i], d[i+1], d[i+2]) - Math.min(d[i], d[i+1], d[i+2]) > 60) return true; \
    return false; })()";

/// Where people find them after a run.
fn screens() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("page")
}

fn is_of_a_gap(complaint: &serde_json::Value) -> bool {
    complaint["message"].as_str().is_some_and(|text| text.contains("live.jpg") && text.contains("503"))
}

fn visit(size: (u32, u32), is_phone: bool, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (daemon, url) = board(folder.path());
    let browser = Browser::start(size, is_phone);
    browser.open(&url);
    browser.until("it asks for the token", "!document.getElementById('log-in').hidden");
    browser.type_into("#token", "a-token-of-32-characters-0123457");
    browser.click("#log-in button");
    browser.until(
        "a wrong one is refused",
        "document.getElementById('log-in-error').textContent.includes('not the token')",
    );
    browser.screenshot(&screens().join(format!("{name}-log-in.png")));
    // A refused token is a failed request, which the browser reports; nothing else may be.
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|c| c["message"].as_str().unwrap().contains("401")), "{complaints:?}");

    browser.type_into("#token", TOKEN);
    browser.click("#log-in button");
    browser.until(
        "a live picture is shown",
        "document.querySelector('.picture img:not([hidden])')?.naturalWidth > 0",
    );
    browser.until(
        "it says that it watches, or what goes on",
        "document.getElementById('summary').textContent.length > 5",
    );
    browser.until("the board is named", "document.getElementById('title').textContent === 'gate-1, yard'");
    browser.until(
        "the score is plotted",
        "document.querySelector('.plot').getAttribute('aria-label').startsWith('Score of')",
    );
    browser.until("the mask is outlined", "document.querySelector('.picture svg .mask')");
    browser.click("#heat");
    // The scene is grey, and a map of where the model looks is not.
    browser.until("the picture has where the model looks", COLOURED);

    // Nobody reloads: what comes now is shown.
    let before = browser.run("return document.querySelectorAll('#events .event').length");
    browser.run("window.notReloaded = true");
    browser
        .until("an event appears", &format!("document.querySelectorAll('#events .event').length > {before}"));
    browser.until("its evidence too", "document.querySelector('#events .open:not([disabled])')");
    browser
        .run("document.querySelector('#events .open:not([disabled])').scrollIntoView({ block: 'center' })");
    browser.click("#events .open:not([disabled])");
    browser.until(
        "its clip plays",
        "document.getElementById('clip').readyState >= 2 && document.getElementById('clip').duration > 0.5",
    );
    browser.until("its picture is shown", "document.getElementById('snapshot').naturalWidth > 0");
    browser.screenshot(&screens().join(format!("{name}-event.png")));
    browser.click("#close");

    browser.run("window.scrollTo(0, 0)");
    browser.click("[data-command=disarm]");
    browser.accept();
    browser.until(
        "it is disarmed",
        "document.querySelector('.camera .badge').textContent.startsWith('disarmed')",
    );
    browser.click("[data-command=arm]");
    browser.until(
        "and armed again",
        "!document.querySelector('.camera .badge').textContent.startsWith('disarmed')",
    );
    let width =
        browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(width, 0, "nothing is wider than the screen");
    assert_eq!(browser.run("return window.notReloaded"), true);
    browser.screenshot(&screens().join(format!("{name}.png")));
    // Between two rounds of the looped file there may be no picture for a moment, on a busy machine.
    let complaints: Vec<_> = browser.complaints().into_iter().filter(|c| !is_of_a_gap(c)).collect();
    assert!(complaints.is_empty(), "{complaints:?}");

    browser.click("#log-out");
    browser.until("who logs out sees nothing more", "document.getElementById('board').hidden");
    daemon.end();
}

#[test]
fn on_a_desk() {
    visit((1_280, 800), false, "desk");
}

#[test]
fn on_a_phone() {
    visit((390, 844), true, "phone");
}
