use proptest::prelude::*;

use super::*;

fn facts() -> Vec<(String, String)> {
    vec![("encoder".to_owned(), "ab\"sha256\":\"cd".to_owned()), ("file".to_owned(), "ef".to_owned())]
}

fn sample(clips: u64, crops: usize, dim: usize) -> Features {
    let span = |index| ClipSpan { index, first_frame: FrameIndex(index * 16), frames: 16 };
    let values = (0..clips as usize * crops * dim).map(|index| index as f32 * 0.37 - 1.0).collect();
    Features {
        dim,
        crops,
        spans: (0..clips).map(span).collect(),
        values,
        frames: clips * 16,
        frame_rate_hz: 30_000.0 / 1001.0,
    }
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bytes = sample(3, 2, 5).to_bytes(&facts()).unwrap();
    assert_eq!(Features::from_bytes(bytes.clone(), &facts()).unwrap(), sample(3, 2, 5));
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80, 0xFF, 0x29] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            assert!(Features::from_bytes(damaged, &facts()).is_err(), "byte {at} ^ {flip:#x}");
        }
    }
}

#[test]
fn a_crop_and_the_first_clips_are_features_of_their_own() {
    let all = sample(3, 2, 5);
    let second = all.crop(1);
    assert_eq!((second.crops, second.clips()), (1, 3));
    let expected: Vec<&[f32]> = all.values.chunks_exact(5).skip(1).step_by(2).collect();
    assert_eq!(second.rows().collect::<Vec<_>>(), expected);
    let short = second.first_clips(2);
    assert_eq!(short.rows().collect::<Vec<_>>(), expected[..2]);
    assert_eq!(short.inconsistency(), None);
    assert_eq!(sample(2, 2, 5).first_clips(9).clips(), 2);
}

#[test]
fn equal_features_make_equal_files() {
    let bytes = sample(3, 2, 5).to_bytes(&facts()).unwrap();
    for _ in 0..8 {
        assert_eq!(sample(3, 2, 5).to_bytes(&facts()).unwrap(), bytes);
    }
}

#[test]
fn rows_are_found_by_the_header_alone() {
    let features = sample(3, 2, 5);
    let bytes = features.to_bytes(&facts()).unwrap();
    let (begin, axes, frames) = stored_rows(&mut bytes.as_slice()).unwrap();
    assert_eq!((axes, frames), ([3, 10], 48));
    let second: Vec<u8> = features.values[10..20].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(bytes[begin as usize + 40..][..40], second);
    assert!(stored_rows(&mut &bytes[..100]).is_err());
    assert!(stored_rows(&mut [255; 64].as_slice()).is_err());
}

#[test]
fn every_truncation_and_any_longer_file_is_noticed() {
    let bytes = sample(3, 2, 5).to_bytes(&facts()).unwrap();
    for length in 0..bytes.len() {
        assert!(Features::from_bytes(bytes[..length].to_vec(), &facts()).is_err(), "cut to {length}");
    }
    assert!(Features::from_bytes([bytes, vec![0]].concat(), &facts()).is_err());
}

#[test]
fn other_facts_are_refused() {
    let bytes = sample(1, 1, 2).to_bytes(&facts()).unwrap();
    let mut other = facts();
    other[1].1.push('0');
    assert!(Features::from_bytes(bytes, &other).unwrap_err().contains("`file`"));
}

/// As they were written before there were crops.
fn of_format_1(features: &Features) -> Vec<u8> {
    let values: Vec<u8> = features.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let firsts: Vec<u8> = features.spans.iter().flat_map(|span| span.first_frame.0.to_le_bytes()).collect();
    let lengths: Vec<u8> = features.spans.iter().flat_map(|span| span.frames.to_le_bytes()).collect();
    let clips = features.clips();
    let tensors = [
        ("features", TensorView::new(Dtype::F32, vec![clips, features.dim], &values).unwrap()),
        ("span_first_frame", TensorView::new(Dtype::U64, vec![clips], &firsts).unwrap()),
        ("span_frames", TensorView::new(Dtype::U16, vec![clips], &lengths).unwrap()),
    ];
    let mut metadata: HashMap<String, String> = facts().into_iter().collect();
    for (name, value) in [
        ("format", "watchpost-features-1".to_owned()),
        ("frames", features.frames.to_string()),
        ("frame_rate_hz", features.frame_rate_hz.to_string()),
        ("sha256", "0".repeat(CHECKSUM_DIGITS)),
    ] {
        metadata.insert(name.to_owned(), value);
    }
    let mut bytes = serialize(tensors, Some(metadata)).unwrap();
    let at = checksum_position(&bytes).unwrap();
    let checksum = hex(&Sha256::digest(&bytes));
    bytes[at..at + CHECKSUM_DIGITS].copy_from_slice(checksum.as_bytes());
    bytes
}

#[test]
fn features_from_before_crops_are_read_as_one_crop() {
    let features = sample(3, 1, 5);
    assert_eq!(Features::from_bytes(of_format_1(&features), &facts()).unwrap(), features);
}

#[test]
fn inconsistent_features_are_not_written() {
    let mut broken = [sample(2, 1, 3), sample(2, 1, 3), sample(2, 1, 3), sample(2, 1, 3)];
    broken[0].values.pop();
    broken[1].values[0] = f32::NAN;
    broken[2].frames = 31;
    broken[3].frame_rate_hz = 0.0;
    for features in broken {
        assert!(features.to_bytes(&[]).is_err(), "{features:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_bit_for_bit(values in prop::collection::vec(-1e30_f32..1e30, 1..40), rate_hz in 0.1_f64..240.0) {
        let spans = (0..values.len() as u64).map(|index| ClipSpan { index, first_frame: FrameIndex(index * 4), frames: 4 }).collect();
        let features = Features { dim: 1, crops: 1, frames: values.len() as u64 * 4, spans, values, frame_rate_hz: rate_hz };
        let read = Features::from_bytes(features.to_bytes(&facts()).unwrap(), &facts()).unwrap();
        prop_assert_eq!(read, features);
    }
}
