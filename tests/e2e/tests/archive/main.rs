//! Extraction in shards: the real program, several at once, killed in the middle, into a folder and into a bucket of a
//! real server. Whatever happens on the way, the features are those of one undisturbed run, byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod footage;
mod machine;
mod s3;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use footage::{VIDEOS, undisturbed};
use machine::Machine;
use s3::{Fault, S3};

/// The longest that a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(120);

/// Files of features in a folder, by name.
fn entries(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(files) = std::fs::read_dir(folder) else { return BTreeMap::new() };
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .filter_map(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            // The server's own files beside an object begin with a dot.
            (!name.starts_with('.')).then(|| (name, std::fs::read(&path).unwrap()))
        })
        .collect()
}

fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn shards_into_one_folder_survive_a_kill_and_equal_one_run() {
    let Some(expected) = undisturbed() else { return };
    let shared = tempfile::tempdir().unwrap();
    let store = shared.path().join("features");
    let shard = |machine: &Machine, part: &str| {
        machine.extract(&["--store", store.to_str().unwrap(), "--shard", part, "--threads", "1"])
    };
    let (one, two, three) = (Machine::new(), Machine::new(), Machine::new());
    let mut killed = shard(&one, "0/2").start();
    wait_until("the first entry", || !entries(&store).is_empty());
    killed.kill();
    let kept = entries(&store);
    assert!(kept.len() < VIDEOS, "the kill came too late to show anything");
    assert!(
        kept.iter().all(|(name, bytes)| expected[name] == *bytes),
        "a killed shard leaves whole entries only"
    );

    // The other shard, the killed one once more, and a second process of the same shard.
    let running = [shard(&one, "0/2").start(), shard(&two, "1/2").start(), shard(&three, "1/2").start()];
    for child in running {
        child.finish().expect_success();
    }
    assert!(entries(&store) == expected, "{:?}", entries(&store).keys());

    let done = two.extract(&["--store", store.to_str().unwrap()]).run().expect_success();
    assert!(done.stdout.contains("nothing was left to encode"), "{}", done.stdout);
    two.run(&["train", "--steps", "3"]).expect_success();
    two.run(&["eval"]).expect_success();
}

#[test]
fn shards_into_a_bucket_survive_a_kill_and_a_failing_store() {
    let Some(expected) = undisturbed() else { return };
    let server = S3::start();
    let shard = |machine: &Machine, part: &str| {
        machine
            .extract(&["--store", "s3://archive/set/features", "--shard", part, "--threads", "1"])
            .with_env(&server.environment())
    };
    let stored = || entries(&server.bucket().join("set/features"));
    let (one, two) = (Machine::new(), Machine::new());
    let mut killed = shard(&one, "0/2").start();
    wait_until("the first object", || !stored().is_empty());
    killed.kill();
    assert!(stored().len() < VIDEOS);

    // The store goes away while the other shard is at work: it gives up with the place and the remedy.
    let failing = shard(&two, "1/2").start();
    let before = stored().len();
    wait_until("another object", || stored().len() > before);
    server.set(Fault::Gone);
    let refused = failing.finish();
    refused.expect_refusal(&["s3://archive/set/features", "cannot be reached", "goes on where it stopped"]);
    server.set(Fault::None);
    assert!(stored().iter().all(|(name, bytes)| expected[name] == *bytes), "whole objects only");

    let running = [shard(&one, "0/2").start(), shard(&two, "1/2").start()];
    for child in running {
        child.finish().expect_success();
    }
    assert!(stored() == expected, "{:?}", stored().keys());

    // A machine that has nothing trains from the bucket, and keeps what it fetched.
    let trainer = Machine::new();
    let whole = trainer.extract(&["--store", "s3://archive/set/features"]).with_env(&server.environment());
    let done = whole.run().expect_success();
    assert!(done.stdout.contains("nothing was left to encode"), "{}", done.stdout);
    trainer.forget_features();
    trainer.command(&["train", "--steps", "3"]).with_env(&server.environment()).run().expect_success();
    server.set(Fault::Gone);
    trainer.run(&["train", "--steps", "4", "--name", "again"]).expect_success();
}

#[test]
fn a_bucket_that_cannot_be_used_is_named_with_the_remedy() {
    let server = S3::start();
    let machine = Machine::new();
    let refused = |store: &str, changes: &[(&str, &str)], parts: &[&str]| {
        let started = Instant::now();
        let mut environment: Vec<(&str, String)> = server.environment();
        for (name, value) in changes {
            environment.retain(|(known, _)| known != name);
            if !value.is_empty() {
                environment.push((name, (*value).to_owned()));
            }
        }
        machine.extract(&["--store", store]).with_env(&environment).run().expect_refusal(parts);
        assert!(started.elapsed() < PATIENCE, "retries are bounded");
    };
    let bucket = "s3://archive/features";
    let keys = "AWS_SECRET_ACCESS_KEY";
    refused(bucket, &[(keys, "wrong")], &[bucket, "refuses these credentials", keys]);
    refused(bucket, &[("AWS_ACCESS_KEY_ID", "nobody")], &[bucket, "refuses these credentials", keys]);
    refused(bucket, &[("AWS_ACCESS_KEY_ID", ""), (keys, "")], &[bucket, "no credentials", keys]);
    refused("s3://absent/features", &[], &["s3://absent/features", "no such bucket", "create the bucket"]);
    let nowhere = ("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    refused(bucket, &[nowhere], &[bucket, "127.0.0.1:9", "cannot be reached", "AWS_ENDPOINT_URL"]);
    refused("ftp://archive", &[], &["ftp://archive", "s3://BUCKET/PREFIX"]);
    server.set(Fault::Errors);
    refused(bucket, &[], &[bucket, "503", "goes on where it stopped"]);
}

#[test]
fn a_part_outside_the_count_is_refused() {
    let machine = Machine::new();
    for (part, says) in [("2/2", "counted from 0"), ("1", "I/N"), ("/2", "I/N")] {
        machine.extract(&["--shard", part]).run().expect_refusal(&[part, says]);
    }
}

#[test]
fn a_damaged_object_is_told_and_made_again() {
    let Some(expected) = undisturbed() else { return };
    let server = S3::start();
    let folder = server.bucket().join("features");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in &expected {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let (name, whole) = expected.iter().next().unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(folder.join(name), damaged).unwrap();

    let machine = Machine::new();
    let extract = machine.extract(&["--store", "s3://archive/features"]).with_env(&server.environment());
    let again = extract.run().expect_success();
    assert!(again.stdout.contains("encoded 1 clip "), "{}\n{}", again.stdout, again.stderr);
    assert!(entries(&folder) == expected);
}
