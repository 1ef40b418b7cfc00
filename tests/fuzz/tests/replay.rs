//! Every input of the corpus, whole, cut off and with flipped bits, through its parser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fuzz_tests::{TARGETS, Target};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The same for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// Cut off, with a flipped bit, with a byte that says much, or with a piece twice.
fn change(input: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let at = dice.below(bytes.len());
    match dice.below(4) {
        0 => bytes.truncate(at),
        1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
        2 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = [0, 0x7f, 0x80, 0xff][dice.below(4)]),
        _ => {
            let end = at + dice.below(bytes.len() - at);
            let piece = bytes[at..end].to_vec();
            bytes.splice(end..end, piece);
        }
    }
    bytes
}

fn run(target: &Target, input: &[u8], what: &str) {
    let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if ran.is_err() {
        let kept = std::env::temp_dir().join(format!("watchpost-fuzz-{}", target.name));
        std::fs::write(&kept, input).unwrap();
        panic!("{}: {what} panicked; the input is kept in {}", target.name, kept.display());
    }
}

#[test]
fn every_parser_has_a_corpus_and_every_corpus_a_parser() {
    let expected: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names(&corpus()), expected);
}

#[test]
fn no_input_of_the_corpus_breaks_a_parser_nor_does_one_like_it() {
    let mut inputs = 0;
    for target in TARGETS {
        let folder = corpus().join(target.name);
        let files = names(&folder);
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in files {
            let input = std::fs::read(folder.join(&file)).unwrap();
            run(target, &input, &file);
            let mut dice = Dice(input.iter().fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(*byte)));
            for number in 0..target.changes {
                run(target, &change(&input, &mut dice), &format!("{file}, change {number}"));
                inputs += 1;
            }
        }
    }
    println!("{inputs} changed inputs");
}
