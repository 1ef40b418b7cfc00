//! Streams of a real encoder, whole, damaged and made up, through the decoder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use vad_h264::{DecodeError, Decoder};

/// x264's stream of moving test bars, split into access units.
fn footage(size: &str, options: &[&str]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.264");
    let source = format!("testsrc2=size={size}:rate=10:duration=3");
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source, "-c:v", "libx264"])
        .args(["-x264-params", "keyint=10:aud=1:repeat-headers=1:scenecut=0"])
        .args(options)
        .arg(&path)
        .status()
        .unwrap();
    assert!(run.success());
    split(&std::fs::read(path).unwrap())
}

/// Every access unit begins with a delimiter.
fn split(stream: &[u8]) -> Vec<Vec<u8>> {
    const DELIMITER: [u8; 5] = [0, 0, 0, 1, 9];
    let starts: Vec<usize> =
        stream.windows(5).enumerate().filter(|(_, window)| *window == DELIMITER).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    starts.iter().zip(ends).map(|(&start, end)| stream[start..end].to_vec()).collect()
}

/// The same bars as the encoder was given.
fn truth(size: &str, range: &str) -> Vec<Vec<u8>> {
    let (width, height) = size.split_once('x').unwrap();
    let bytes = width.parse::<usize>().unwrap() * height.parse::<usize>().unwrap() * 3;
    let source = format!("testsrc2=size={size}:rate=10:duration=3");
    let filter = format!(
        "scale=out_color_matrix=bt601:out_range={range},format=yuv420p,scale=in_range={range}:in_color_matrix=bt601"
    );
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source, "-vf", &filter])
        .args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout.chunks_exact(bytes).map(<[u8]>::to_vec).collect()
}

fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

/// Every picture that comes of the units, as RGB.
fn pictures(decoder: &mut Decoder, units: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut seen = Vec::new();
    for unit in units {
        if let Some(picture) = decoder.decode(unit).unwrap() {
            let mut rgb = Vec::new();
            picture.to_rgb(&mut rgb).unwrap();
            seen.push(rgb);
        }
    }
    seen
}

#[test]
fn every_profile_shows_what_was_filmed_in_its_order() {
    let kinds: [(&str, &[&str], &str); 5] = [
        ("320x240", &["-profile:v", "baseline", "-pix_fmt", "yuv420p"], "tv"),
        ("320x240", &["-profile:v", "main", "-bf", "0", "-pix_fmt", "yuv420p"], "tv"),
        ("320x240", &["-profile:v", "main", "-bf", "2", "-pix_fmt", "yuv420p"], "tv"),
        ("322x182", &["-profile:v", "high", "-bf", "3", "-pix_fmt", "yuv420p"], "tv"),
        (
            "320x240",
            &["-profile:v", "high", "-vf", "scale=out_range=pc", "-color_range", "pc", "-pix_fmt", "yuv420p"],
            "pc",
        ),
    ];
    for (size, options, range) in kinds {
        let (units, truth) = (footage(size, options), truth(size, range));
        assert_eq!((units.len(), truth.len()), (30, 30));
        let seen = pictures(&mut Decoder::new().unwrap(), &units);
        assert!(seen.len() >= 25, "{options:?}: {} pictures", seen.len());
        for (at, picture) in seen.iter().enumerate() {
            let off: Vec<f64> = truth.iter().map(|truth| mean_difference(picture, truth)).collect();
            let nearest = (0..30).min_by(|&a, &b| off[a].total_cmp(&off[b])).unwrap();
            assert_eq!(nearest, at, "{size} {options:?}: out of order");
            assert!(off[at] < 3.0, "{size} {options:?}: picture {at} is {} of 255 off", off[at]);
        }
    }
}

#[test]
fn after_a_loss_nothing_is_shown_before_the_next_key_frame() {
    let units = footage("320x240", &["-profile:v", "baseline"]);
    let truth = truth("320x240", "tv");
    let mut decoder = Decoder::new().unwrap();
    assert_eq!(pictures(&mut decoder, &units[3..10]).len(), 0, "no key frame yet");
    assert_eq!(pictures(&mut decoder, &units[10..15]).len(), 5);
    decoder.note_loss();
    let seen = pictures(&mut decoder, &units[16..]);
    assert_eq!(seen.len(), 10);
    assert!(mean_difference(&seen[0], &truth[20]) < 3.0);
    // Nobody noticed the loss: the decoder does.
    let mut decoder = Decoder::new().unwrap();
    let seen = [&units[..5], &units[6..]].concat();
    let seen = pictures(&mut decoder, &seen);
    assert!(mean_difference(seen.last().unwrap(), &truth[29]) < 3.0);
}

#[test]
fn another_size_goes_on_with_that_size() {
    let small = footage("160x120", &["-profile:v", "main"]);
    let large = footage("640x360", &["-profile:v", "high"]);
    let mut decoder = Decoder::new().unwrap();
    for (units, bytes) in [(&small, 160 * 120 * 3), (&large, 640 * 360 * 3), (&small, 160 * 120 * 3)] {
        let seen = pictures(&mut decoder, units);
        assert!(seen.len() >= 25 && seen.iter().all(|rgb| rgb.len() == bytes), "{}", seen.len());
    }
}

#[test]
fn what_cannot_be_decoded_is_named() {
    let refusal = |units: &[Vec<u8>]| {
        let mut decoder = Decoder::new().unwrap();
        units.iter().find_map(|unit| decoder.decode(unit).err()).expect("a refusal")
    };
    let interlaced = footage("320x240", &["-flags", "+ildct+ilme"]);
    assert!(refusal(&interlaced).to_string().contains("interlaced"));
    let half_colour = footage("320x240", &["-profile:v", "high422", "-pix_fmt", "yuv422p"]);
    assert!(refusal(&half_colour).to_string().contains("4:2:0"));
    let nothing: Vec<Vec<u8>> = (0..20).map(|_| vec![0, 0, 0, 1, 0x65, 1, 2, 3, 4, 5, 6, 7, 8]).collect();
    assert!(matches!(refusal(&nothing), DecodeError::Damaged { in_row: 9, .. }));
    let endless = vec![vec![0; (4 << 20) + 1]; 9];
    assert!(matches!(refusal(&endless), DecodeError::Damaged { .. }));
}

/// A sequence parameter set of baseline profile with a size in macroblocks and reference pictures.
fn sequence(width_mb: u32, height_mb: u32, references: u32) -> Vec<u8> {
    let mut bits = String::new();
    for byte in [66_u8, 0, 52] {
        bits += &format!("{byte:08b}");
    }
    // Number, frame number, order of pictures; references; size; flags; the end.
    let golomb = |value: u32| {
        let code = format!("{:b}", value + 1);
        "0".repeat(code.len() - 1) + &code
    };
    bits += &[golomb(0), golomb(0), golomb(2), golomb(references), "0".to_owned()].concat();
    bits += &[golomb(width_mb - 1), golomb(height_mb - 1)].concat();
    bits += "11001";
    while !bits.len().is_multiple_of(8) {
        bits.push('0');
    }
    let bytes = bits
        .as_bytes()
        .chunks(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap());
    [0, 0, 0, 1, 0x67].into_iter().chain(bytes).collect()
}

#[test]
fn sizes_are_refused_before_anything_is_allocated() {
    let decode = |set: Vec<u8>| Decoder::new().unwrap().decode(&set).map(|picture| picture.is_some());
    assert!(matches!(decode(sequence(20, 15, 1)), Ok(false)));
    assert!(matches!(decode(sequence(256, 144, 4)), Ok(false)), "4096x2304");
    for (width_mb, height_mb) in [(513, 1), (1, 513), (512, 512), (193, 192), (60_000, 60_000)] {
        assert!(matches!(decode(sequence(width_mb, height_mb, 1)), Err(DecodeError::Size { .. })));
    }
    assert!(matches!(decode(sequence(256, 144, 6)), Err(DecodeError::References { references: 6, .. })));
    // A second one in the same unit is looked at too.
    let two = [sequence(20, 15, 1), sequence(512, 512, 1), sequence(20, 15, 1)].concat();
    assert!(matches!(decode(two), Err(DecodeError::Size { .. })));
}

/// Resident memory of this process, bytes.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

/// Cheap and the same everywhere.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn damaged_streams_end_in_errors_in_bounded_time_and_memory() {
    let streams = [
        footage("160x120", &["-profile:v", "baseline"]),
        footage("160x120", &["-profile:v", "high", "-bf", "2"]),
    ];
    let before = resident_bytes();
    let mut state = 7;
    for round in 0..300 {
        let mut decoder = Decoder::new().unwrap();
        for unit in &streams[round % 2] {
            let mut unit = unit.clone();
            for _ in 0..next(&mut state) % 4 {
                let at = next(&mut state) as usize % unit.len();
                match next(&mut state) % 3 {
                    0 => unit[at] = next(&mut state) as u8,
                    1 => unit[at] ^= 1 << (next(&mut state) % 8),
                    _ => unit.truncate(at + 1),
                }
            }
            let begun = Instant::now();
            let end =
                decoder.decode(&unit).map(|picture| picture.map(|p| p.to_rgb(&mut Vec::new()).map(drop)));
            assert!(begun.elapsed() < Duration::from_secs(1));
            if end.is_err() {
                break;
            }
        }
    }
    // The largest picture that may be claimed and its references have 71 MB.
    assert!(resident_bytes() < before + (200 << 20), "{} to {}", before, resident_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_bytes_panic(units in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..8)) {
        let mut decoder = Decoder::new().unwrap();
        for (at, bytes) in units.iter().enumerate() {
            let kind = [0x67_u8, 0x68, 0x65, 0x61][at % 4];
            let unit = [&[0, 0, 0, 1, kind][..], bytes].concat();
            if decoder.decode(&unit).is_err() {
                break;
            }
        }
    }
}
