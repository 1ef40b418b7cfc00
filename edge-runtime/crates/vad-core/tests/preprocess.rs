//! Preprocessing against its equations, computed exactly with rational weights.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use proptest::prelude::*;
use vad_core::{ChannelOrder, Fit, FrameError, PreprocessSpec, Preprocessor, RgbFrame};

/// Fixed point may differ from the exact value by its own rounding and half a level of weights.
const RESIZE_TOLERANCE_LEVELS: f64 = 1.0;

#[derive(Debug)]
struct Picture {
    width_px: u32,
    height_px: u32,
    data: Vec<u8>,
}

impl Picture {
    fn frame(&self) -> RgbFrame<'_> {
        RgbFrame::new(self.width_px, self.height_px, &self.data).unwrap()
    }

    /// A gradient with texture, made of integers alone.
    fn textured(width_px: u32, height_px: u32) -> Self {
        let pixel = |i: u32| {
            let (x, y, c) = (i / 3 % width_px, i / 3 / width_px, i % 3);
            ((x * 7 + y * 13 + c * 85 + (x * y) % 31 * 5) % 256) as u8
        };
        Self { width_px, height_px, data: (0..width_px * height_px * 3).map(pixel).collect() }
    }

    fn window(&self, x: u32, y: u32, width_px: u32, height_px: u32) -> Self {
        let row = |row_index: u32| {
            let begin = ((row_index * self.width_px + x) * 3) as usize;
            self.data[begin..begin + width_px as usize * 3].to_vec()
        };
        Self { width_px, height_px, data: (y..y + height_px).flat_map(row).collect() }
    }
}

fn spec(width_px: u16, height_px: u16, fit: Fit) -> PreprocessSpec {
    PreprocessSpec { width_px, height_px, fit, ..PreprocessSpec::i3d() }
}

fn resize(picture: &Picture, spec: &PreprocessSpec) -> Vec<u8> {
    let mut out = vec![0; spec.resized_len()];
    Preprocessor::new(spec.clone()).unwrap().resize_into(picture.frame(), &mut out).unwrap();
    out
}

/// The equations of the module's documentation, in `f64` and without tables.
fn weight(i: u32, j: u32, input: u32, output: u32) -> f64 {
    let (i, j, n, m) = (f64::from(i), f64::from(j), f64::from(input), f64::from(output));
    if input >= output {
        let (begin, end) = (i * n / m, (i + 1.0) * n / m);
        ((j + 1.0).min(end) - j.max(begin)).max(0.0) * m / n
    } else {
        let x = ((i + 0.5) * n / m - 0.5).clamp(0.0, n - 1.0);
        (1.0 - (x - j).abs()).max(0.0)
    }
}

fn exact(picture: &Picture, spec: &PreprocessSpec) -> Vec<f64> {
    let (out_w, out_h) = (u32::from(spec.width_px), u32::from(spec.height_px));
    let (in_w, in_h) = (picture.width_px, picture.height_px);
    let mut out = Vec::new();
    for i in 0..out_w * out_h * 3 {
        let (x, y, c) = (i / 3 % out_w, i / 3 / out_w, i % 3);
        let mut sum = 0.0;
        for v in 0..in_h {
            let row_weight = weight(y, v, in_h, out_h);
            if row_weight == 0.0 {
                continue;
            }
            for u in 0..in_w {
                let pixel = picture.data[((v * in_w + u) * 3 + c) as usize];
                sum += row_weight * weight(x, u, in_w, out_w) * f64::from(pixel);
            }
        }
        out.push(sum);
    }
    out
}

fn pictures(side_px: u32) -> impl Strategy<Value = Picture> {
    (1..=side_px, 1..=side_px).prop_flat_map(|(width_px, height_px)| {
        prop::collection::vec(any::<u8>(), (width_px * height_px * 3) as usize)
            .prop_map(move |data| Picture { width_px, height_px, data })
    })
}

fn fits() -> impl Strategy<Value = Fit> {
    prop_oneof![Just(Fit::Squeeze), Just(Fit::CoverCentreCrop)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn resize_follows_its_equations(picture in pictures(40), w in 1u16..40, h in 1u16..40) {
        let spec = spec(w, h, Fit::Squeeze);
        for (got, want) in resize(&picture, &spec).iter().zip(exact(&picture, &spec)) {
            prop_assert!((f64::from(*got) - want).abs() <= RESIZE_TOLERANCE_LEVELS, "{} for {}", got, want);
        }
    }

    #[test]
    fn resize_stays_within_the_input(picture in pictures(60), w in 1u16..50, h in 1u16..50, fit in fits()) {
        let (min, max) = (picture.data.iter().min().unwrap(), picture.data.iter().max().unwrap());
        let out = resize(&picture, &spec(w, h, fit));
        prop_assert!(out.iter().all(|value| (min..=max).contains(&value)));
    }

    #[test]
    fn a_constant_picture_stays_constant(
        rgb in any::<[u8; 3]>(), in_w in 1u32..900, in_h in 1u32..20, w in 1u16..50, h in 1u16..50, fit in fits(),
    ) {
        let picture = Picture { width_px: in_w, height_px: in_h, data: rgb.repeat((in_w * in_h) as usize) };
        let out = resize(&picture, &spec(w, h, fit));
        prop_assert!(out.chunks_exact(3).all(|pixel| pixel == rgb));
    }

    #[test]
    fn equal_sizes_copy(picture in pictures(40), fit in fits()) {
        let same = spec(picture.width_px as u16, picture.height_px as u16, fit);
        prop_assert_eq!(resize(&picture, &same), picture.data);
    }

    #[test]
    fn tables_of_an_earlier_size_leave_no_trace(a in pictures(30), b in pictures(30), fit in fits()) {
        let spec = spec(17, 11, fit);
        let mut shared = Preprocessor::new(spec.clone()).unwrap();
        let mut out = vec![0; spec.resized_len()];
        for picture in [&a, &b, &b, &a] {
            shared.resize_into(picture.frame(), &mut out).unwrap();
            prop_assert_eq!(&out, &resize(picture, &spec));
        }
    }

    #[test]
    fn channels_do_not_mix(picture in pictures(24), w in 1u16..30, h in 1u16..30) {
        let mut muted = Picture { data: picture.data.clone(), ..picture };
        muted.data.chunks_exact_mut(3).for_each(|pixel| pixel[1] = 0);
        let spec = spec(w, h, Fit::Squeeze);
        let mut expected = resize(&picture, &spec);
        expected.chunks_exact_mut(3).for_each(|pixel| pixel[1] = 0);
        prop_assert_eq!(resize(&muted, &spec), expected);
    }
}

#[test]
fn halving_averages_four_pixels_exactly() {
    let data = [10, 0, 0, 11, 0, 0, 12, 255, 1, 13, 255, 2].to_vec();
    let picture = Picture { width_px: 2, height_px: 2, data };
    // 46 / 4 = 11.5, 510 / 4 = 127.5 and 3 / 4, each rounded half up.
    assert_eq!(resize(&picture, &spec(1, 1, Fit::Squeeze)), [12, 128, 1]);
}

#[test]
fn cover_equals_squeezing_the_centred_window() {
    let picture = Picture::textured(360, 240);
    let centre = picture.window(60, 0, 240, 240);
    let covered = resize(&picture, &spec(64, 64, Fit::CoverCentreCrop));
    assert_eq!(covered, resize(&centre, &spec(64, 64, Fit::Squeeze)));
}

/// 64-bit FNV-1a.
fn fingerprint(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[test]
fn the_same_bits_on_every_platform() {
    // From an independent implementation of docs/reference/score.md. A platform or a change
    // that moves them parts board from trainer and makes feature caches stale.
    let cases = [
        (360, 240, 224, 224, Fit::Squeeze, 0xc219_eb8d_f05f_3473),
        (1920, 1080, 224, 224, Fit::CoverCentreCrop, 0x9c5e_9d1b_e529_6c8c),
        (160, 120, 224, 224, Fit::Squeeze, 0x4396_7617_6044_eca3),
        (241, 479, 112, 320, Fit::CoverCentreCrop, 0xf409_edfc_4d1e_00e5),
    ];
    for (in_w, in_h, w, h, fit, expected) in cases {
        let got = fingerprint(&resize(&Picture::textured(in_w, in_h), &spec(w, h, fit)));
        assert_eq!(got, expected, "{in_w}x{in_h} to {w}x{h} {fit:?}: {got:#018x}");
    }
}

#[test]
fn normalised_clips_are_planar_and_in_channel_order() {
    let mut spec = spec(2, 1, Fit::Squeeze);
    spec.mean = [1.0, 2.0, 3.0];
    spec.std = [1.0, 2.0, 4.0];
    let frames: [&[u8]; 2] = [&[11, 12, 13, 21, 22, 23], &[31, 32, 33, 41, 42, 43]];
    let normalise = |spec: &PreprocessSpec| {
        let mut out = [0.0; 12];
        let preprocessor = Preprocessor::new(spec.clone()).unwrap();
        preprocessor.normalise_into(frames.into_iter(), &mut out).unwrap();
        out
    };
    assert_eq!(normalise(&spec), [10.0, 20.0, 30.0, 40.0, 5.0, 10.0, 15.0, 20.0, 2.5, 5.0, 7.5, 10.0]);
    spec.channel_order = ChannelOrder::Bgr;
    assert_eq!(normalise(&spec), [12.0, 22.0, 32.0, 42.0, 5.0, 10.0, 15.0, 20.0, 2.0, 4.5, 7.0, 9.5]);
}

#[test]
fn i3d_scales_pixels_to_one_around_zero() {
    let all: Vec<u8> = (0..=255).flat_map(|value| [value; 3]).collect();
    let i3d = PreprocessSpec { width_px: 16, height_px: 16, ..PreprocessSpec::i3d() };
    let mut out = vec![0.0; 768];
    Preprocessor::new(i3d).unwrap().normalise_into([&all[..]].into_iter(), &mut out).unwrap();
    assert_eq!((out[0], out[255]), (-1.0, 1.0));
    for (pixel, value) in out[..256].iter().enumerate() {
        // The published form, pixel / 127.5 - 1, rounds otherwise in the last place.
        assert!((value - (pixel as f32 / 127.5 - 1.0)).abs() <= f32::EPSILON);
    }
}

#[test]
fn wrong_buffers_are_refused_with_their_sizes() {
    let spec = spec(4, 4, Fit::Squeeze);
    let mut preprocessor = Preprocessor::new(spec).unwrap();
    let picture = Picture::textured(8, 8);
    let refused = preprocessor.resize_into(picture.frame(), &mut [0; 47]).unwrap_err();
    assert_eq!(refused.to_string(), "resized frame needs 48 elements, but has 47");
    let frames: [&[u8]; 1] = [&[0; 48]];
    let refused = preprocessor.normalise_into(frames.into_iter(), &mut [0.0; 96]).unwrap_err();
    let expected = FrameError::BufferLength { buffer: "normalised clip", expected: 48, actual: 96 };
    assert_eq!(refused, expected);
    let frames: [&[u8]; 1] = [&[0; 12]];
    assert!(preprocessor.normalise_into(frames.into_iter(), &mut [0.0; 48]).is_err());
}
