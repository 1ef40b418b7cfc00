//! Where a figure was measured: for pages of results.

use std::process::Command;

/// The processor's name, and whether it has AVX-512.
pub fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value).to_owned()
    };
    let wide = if field("flags").contains("avx512f") { "with" } else { "without" };
    format!("{} {wide} AVX-512", field("model name"))
}

/// First characters of the commit that the working tree stands on.
pub fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
