//! A real browser, told what to do through chromedriver in WebDriver's JSON.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::eventually;
use super::http::request;
use super::rtsp::free_port;

pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _folder: tempfile::TempDir,
}

impl Browser {
    /// A window of this size, as a phone has it where `is_phone`.
    pub fn start((width, height): (u32, u32), is_phone: bool) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            // What a browser leaves behind goes with the test.
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: `cargo xtask test` installs it");
        let mut browser = Self { driver, port, session: String::new(), _folder: folder };
        eventually("chromedriver listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        // No sandbox: tests run as root in containers.
        let mut args = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--mute-audio",
        ];
        let size = format!("--window-size={width},{height}");
        args.push(&size);
        let mut options = json!({ "args": args });
        if is_phone {
            let metrics = json!({ "width": width, "height": height, "pixelRatio": 2.0, "touch": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let begun = browser.post("/session", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        browser.session = begun["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let answer = request(self.port, "POST", path, &["Content-Type: application/json"], body.as_bytes());
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
        answer.json()["value"].clone()
    }

    fn tell(&self, what: &str, body: &Value) -> Value {
        self.post(&format!("/session/{}/{what}", self.session), body)
    }

    pub fn open(&self, url: &str) {
        self.tell("url", &json!({ "url": url }));
    }

    /// What a script returns.
    pub fn run(&self, script: &str) -> Value {
        self.tell("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns true.
    pub fn until(&self, what: &str, script: &str) {
        eventually(what, || self.run(&format!("return Boolean({script})")) == json!(true));
    }

    fn find(&self, selector: &str) -> String {
        let found = self.tell("element", &json!({ "using": "css selector", "value": selector }));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Types as a person does.
    pub fn type_into(&self, selector: &str, text: &str) {
        self.tell(&format!("element/{}/value", self.find(selector)), &json!({ "text": text }));
    }

    /// Clicks where a person would; an error if something lies over it.
    pub fn click(&self, selector: &str) {
        self.tell(&format!("element/{}/click", self.find(selector)), &json!({}));
    }

    /// Says yes to what the page asks.
    pub fn accept(&self) {
        self.tell("alert/accept", &json!({}));
    }

    /// What the browser complained of.
    pub fn complaints(&self) -> Vec<Value> {
        self.tell("se/log", &json!({ "type": "browser" })).as_array().unwrap().clone()
    }

    pub fn screenshot(&self, to: &Path) {
        let path = format!("/session/{}/screenshot", self.session);
        let answer = request(self.port, "GET", &path, &[], b"").json();
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, BASE64_STANDARD.decode(answer["value"].as_str().unwrap()).unwrap()).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Also where the test failed, so that no browser is left behind.
        let (port, session) = (self.port, format!("/session/{}", self.session));
        drop(std::panic::catch_unwind(|| request(port, "DELETE", &session, &[], b"")));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
