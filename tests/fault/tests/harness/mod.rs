//! Real processes, an outside ledger, and the judgement at the end.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod rig;

use std::net::TcpListener;
use std::path::PathBuf;

/// A binary of this workspace, from the target folder that this test was built into.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.ancestors().nth(2).expect("target/<profile>/deps/<test>").to_owned();
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is missing. Build it first: cargo build -p watchpostd -p hub (with the profile and target dir of this test)",
        path.display()
    );
    path
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Number from the environment, or the default.
pub fn env_number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")),
        Err(_) => default,
    }
}
