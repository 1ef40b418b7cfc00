//! One program for all parsers: `WATCHPOST_PARSER` names which. Seventeen programs would link the same libraries seventeen times.
#![no_main]

use std::sync::LazyLock;

use fuzz_tests::{TARGETS, Target, target};
use libfuzzer_sys::fuzz_target;

static CHOSEN: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("WATCHPOST_PARSER").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        panic!("WATCHPOST_PARSER is {name:?}, and not one of {}", names.join(", "))
    })
});

fuzz_target!(|bytes: &[u8]| (CHOSEN.run)(bytes));
