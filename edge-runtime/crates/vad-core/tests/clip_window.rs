//! The streaming window against naive slicing of the whole stream.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;
use vad_core::clip::MAX_CLIP_FRAMES;
use vad_core::{ClipSpan, ClipSpec, ClipWindow, FrameIndex, MediaTimeMs};

const FRAME_LEN: usize = 3;

type Clip = (ClipSpan, Vec<Vec<u8>>);

/// Every frame differs from every other in the lengths tested.
fn frame(index: u64) -> Vec<u8> {
    index.to_le_bytes()[..FRAME_LEN].to_vec()
}

fn shown(window: &ClipWindow) -> Vec<Vec<u8>> {
    window.frames().map(<[u8]>::to_vec).collect()
}

fn streamed(window: &mut ClipWindow, stream_frames: u64) -> Vec<Clip> {
    let mut clips = Vec::new();
    for index in 0..stream_frames {
        if let Some(span) = window.push(&frame(index)) {
            clips.push((span, shown(window)));
        } else {
            assert_eq!(window.frames().len(), 0);
        }
    }
    if let Some(span) = window.finish() {
        clips.push((span, shown(window)));
    }
    clips
}

/// From the definition: clips begin every `stride` frames until every frame has been shown.
fn sliced(spec: ClipSpec, stream_frames: u64) -> Vec<Clip> {
    let (length, stride) = (u64::from(spec.frames), u64::from(spec.stride));
    let mut clips: Vec<Clip> = Vec::new();
    let mut covered = 0;
    while covered < stream_frames {
        let index = clips.len() as u64;
        let begin = index * stride;
        let end = (begin + length).min(stream_frames);
        let span = ClipSpan { index, first_frame: FrameIndex(begin), frames: (end - begin) as u16 };
        let last = stream_frames - 1;
        clips.push((span, (begin..begin + length).map(|i| frame(i.min(last))).collect()));
        covered = end;
    }
    clips
}

fn specs() -> impl Strategy<Value = ClipSpec> {
    (1u16..24).prop_flat_map(|frames| (1..=frames).prop_map(move |stride| ClipSpec { frames, stride }))
}

proptest! {
    #[test]
    fn streaming_equals_slicing(spec in specs(), stream_frames in 0u64..120) {
        let mut window = ClipWindow::new(spec, FRAME_LEN).unwrap();
        prop_assert_eq!(streamed(&mut window, stream_frames), sliced(spec, stream_frames));
    }

    #[test]
    fn batch_spans_equal_slicing(spec in specs(), stream_frames in 0u64..120) {
        let spans: Vec<_> = spec.spans(stream_frames).collect();
        let expected: Vec<_> = sliced(spec, stream_frames).into_iter().map(|clip| clip.0).collect();
        prop_assert_eq!(spans, expected);
    }

    #[test]
    fn every_frame_is_covered_and_only_the_tail_is_short(spec in specs(), stream_frames in 1u64..120) {
        let spans: Vec<_> = spec.spans(stream_frames).collect();
        let mut covered = 0;
        for (k, span) in spans.iter().enumerate() {
            prop_assert_eq!(span.first_frame.0, k as u64 * u64::from(spec.stride));
            prop_assert!(span.first_frame.0 <= covered, "frames before {} left out", span.first_frame.0);
            prop_assert!(span.frames == spec.frames || k + 1 == spans.len());
            prop_assert!(span.frame_range().end > covered, "clip {} shows nothing new", k);
            covered = span.frame_range().end;
        }
        prop_assert_eq!(covered, stream_frames);
    }

    #[test]
    fn a_window_is_as_new_after_finish_and_reset(
        spec in specs(), before in 0u64..60, cut in 0u64..60, after in 0u64..60,
    ) {
        let mut window = ClipWindow::new(spec, FRAME_LEN).unwrap();
        streamed(&mut window, before);
        prop_assert_eq!(streamed(&mut window, after), sliced(spec, after));
        for index in 0..cut {
            window.push(&frame(index));
        }
        window.reset();
        prop_assert_eq!(window.frames_pushed(), 0);
        prop_assert_eq!(streamed(&mut window, after), sliced(spec, after));
    }

    #[test]
    fn a_failed_fill_changes_nothing(
        spec in specs(), stream_frames in 0u64..60, failures in prop::collection::vec(0u64..60, 0..8),
    ) {
        let mut window = ClipWindow::new(spec, FRAME_LEN).unwrap();
        let mut clips: Vec<Clip> = Vec::new();
        for index in 0..stream_frames {
            if failures.contains(&index) {
                let failed = window.push_with(|slot| { slot.fill(255); Err("torn frame") });
                prop_assert_eq!(failed, Err("torn frame"));
            }
            let fill = |slot: &mut [u8]| { slot.copy_from_slice(&frame(index)); Ok::<(), ()>(()) };
            if let Some(span) = window.push_with(fill).unwrap() {
                clips.push((span, shown(&window)));
            }
        }
        if let Some(span) = window.finish() {
            clips.push((span, shown(&window)));
        }
        prop_assert_eq!(clips, sliced(spec, stream_frames));
    }
}

#[test]
fn an_exact_stream_has_no_tail_and_finish_ends_once() {
    let mut window = ClipWindow::new(ClipSpec { frames: 4, stride: 2 }, FRAME_LEN).unwrap();
    assert_eq!(streamed(&mut window, 6).len(), 2);
    assert_eq!(window.finish(), None);
    assert_eq!(window.frames().len(), 0);
}

#[test]
fn the_tail_repeats_the_last_frame() {
    let mut window = ClipWindow::new(ClipSpec::i3d(), FRAME_LEN).unwrap();
    let clips = streamed(&mut window, 18);
    let (span, frames) = &clips[1];
    assert_eq!(*span, ClipSpan { index: 1, first_frame: FrameIndex(16), frames: 2 });
    assert_eq!(frames[0], frame(16));
    assert!(frames[1..].iter().all(|shown| *shown == frame(17)));
}

#[test]
fn media_spans_of_adjacent_clips_touch() {
    let spans: Vec<_> = ClipSpec::i3d().spans(40).map(|span| span.media_span(30.0)).collect();
    let expected = [(0, 533), (533, 1067), (1067, 1333)];
    assert_eq!(spans, expected.map(|(start, end)| (MediaTimeMs(start), MediaTimeMs(end))));
}

#[test]
fn useless_specs_are_refused_by_name() {
    let refused = |frames, stride| ClipWindow::<u8>::new(ClipSpec { frames, stride }, FRAME_LEN);
    let message = |frames, stride| refused(frames, stride).unwrap_err().to_string();
    assert_eq!(message(0, 1), "clip.frames is 0, but must be 1 to 512");
    assert_eq!(message(MAX_CLIP_FRAMES + 1, 1), "clip.frames is 513, but must be 1 to 512");
    assert_eq!(message(16, 0), "clip.stride is 0, but must be 1 to 16");
    assert_eq!(message(16, 17), "clip.stride is 17, but must be 1 to 16");
    assert!(ClipWindow::<u8>::new(ClipSpec::i3d(), 0).is_err());
    assert!(ClipWindow::<u8>::new(ClipSpec::i3d(), usize::MAX / 2).is_err());
    assert_eq!(ClipSpec { frames: 0, stride: 0 }.spans(9).count(), 0);
}
