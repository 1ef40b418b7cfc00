use proptest::prelude::*;
use vad_core::{Preprocessor, RgbFrame};

use super::*;

fn input(width_px: u16, height_px: u16) -> PreprocessSpec {
    PreprocessSpec { width_px, height_px, ..PreprocessSpec::i3d() }
}

fn cut(view: &View, picture: &[u8]) -> Vec<u8> {
    let mut out = vec![0; view.width_px * view.height_px * PIXEL];
    view.cut_into(picture, &mut out);
    out
}

fn size(views: &Views) -> (u16, u16) {
    (views.picture.width_px, views.picture.height_px)
}

#[test]
fn the_short_side_is_256_for_an_input_of_224() {
    let of = |frame_px| size(&CropPlan::Ten.views(&input(224, 224), frame_px).unwrap());
    assert_eq!(of((360, 240)), (384, 256));
    assert_eq!(of((320, 240)), (341, 256));
    assert_eq!(of((240, 360)), (256, 384));
    assert_eq!(of((64, 64)), (256, 256));
    assert_eq!(of((1920, 1080)), (455, 256));
}

#[test]
fn pictures_too_long_for_any_encoder_have_no_views() {
    assert!(CropPlan::Five.views(&input(224, 224), (2048, 256)).is_some());
    assert!(CropPlan::Five.views(&input(224, 224), (2064, 256)).is_none());
    assert!(CropPlan::Five.views(&input(2048, 2048), (64, 64)).is_none(), "enlarged beyond the limit");
    assert!(CropPlan::One.views(&input(224, 224), (8192, 1)).is_some(), "one crop takes any picture");
}

/// A picture of 4 x 3 pixels of which each names its place: red is the column, green the row.
fn places() -> Vec<u8> {
    (0..3_u8).flat_map(|y| (0..4_u8).flat_map(move |x| [x, y, 9])).collect()
}

#[test]
fn ten_views_by_hand() {
    // An input of 2 x 2 is enlarged to 2.29, rounded to 2; frames of 4 x 3 become 3 x 2: two columns overlap.
    let views = CropPlan::Ten.views(&input(2, 2), (4, 3)).unwrap();
    assert_eq!((size(&views), views.list.len()), ((3, 2), 10));
    let view =
        |x_px, y_px, mirrored| View { picture_width_px: 4, x_px, y_px, width_px: 2, height_px: 2, mirrored };
    let columns_and_rows = |view: &View| -> Vec<[u8; 2]> {
        cut(view, &places()).chunks_exact(3).map(|pixel| [pixel[0], pixel[1]]).collect()
    };
    assert_eq!(columns_and_rows(&view(0, 0, false)), [[0, 0], [1, 0], [0, 1], [1, 1]]);
    assert_eq!(columns_and_rows(&view(2, 1, false)), [[2, 1], [3, 1], [2, 2], [3, 2]]);
    assert_eq!(columns_and_rows(&view(2, 1, true)), [[3, 1], [2, 1], [3, 2], [2, 2]]);
    assert_eq!(columns_and_rows(&view(1, 0, true)), [[2, 0], [1, 0], [2, 1], [1, 1]]);
}

#[test]
fn one_view_is_the_resized_frame_itself() {
    let views = CropPlan::One.views(&input(4, 3), (640, 480)).unwrap();
    assert_eq!(views.picture, input(4, 3));
    assert_eq!(cut(&views.list[0], &places()), places());
}

#[test]
fn plans_are_written_as_numbers() {
    for plan in CropPlan::ALL {
        assert_eq!(plan.to_string().parse(), Ok(plan));
        assert_eq!(serde_json::from_str::<CropPlan>(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
    }
    assert_eq!(serde_json::to_string(&CropPlan::Ten).unwrap(), "10");
    let refused = "3".parse::<CropPlan>().unwrap_err().to_string();
    assert_eq!(refused, "`3` crops cannot be made; use 1, 5 or 10");
    assert!(serde_json::from_str::<CropPlan>("2").is_err());
}

fn sizes() -> impl Strategy<Value = ((u16, u16), (u32, u32))> {
    let side = || prop_oneof![1_u32..40, 1_u32..3000];
    ((1_u16..400, 1_u16..400), (side(), side()))
}

proptest! {
    #[test]
    fn views_lie_inside_and_the_centre_is_centred(((w, h), frame_px) in sizes()) {
        let Some(views) = CropPlan::Ten.views(&input(w, h), frame_px) else { return Ok(()) };
        let (picture_w, picture_h) = (usize::from(views.picture.width_px), usize::from(views.picture.height_px));
        let (w, h) = (usize::from(w), usize::from(h));
        for view in &views.list {
            prop_assert_eq!((view.width_px, view.height_px, view.picture_width_px), (w, h, picture_w));
            prop_assert!(view.x_px + w <= picture_w && view.y_px + h <= picture_h);
        }
        let centre = views.list[4];
        prop_assert!((picture_w - w - centre.x_px).abs_diff(centre.x_px) <= 1);
        prop_assert!((picture_h - h - centre.y_px).abs_diff(centre.y_px) <= 1);
        let touched = |x: usize, y: usize| views.list[..4].iter().any(|view| (view.x_px, view.y_px) == (x, y));
        prop_assert!(touched(0, 0) && touched(picture_w - w, 0) && touched(0, picture_h - h));
        prop_assert!(touched(picture_w - w, picture_h - h));
    }

    #[test]
    fn pictures_keep_the_aspect_ratio_within_a_pixel(((w, h), (frame_w, frame_h)) in sizes()) {
        let Some(views) = CropPlan::Five.views(&input(w, h), (frame_w, frame_h)) else { return Ok(()) };
        let (width, height) = (f64::from(views.picture.width_px), f64::from(views.picture.height_px));
        let aspect = f64::from(frame_w) / f64::from(frame_h);
        prop_assert!((width - height * aspect).abs() <= 0.5_f64.max(0.5 * aspect) + 1e-6);
        let enlarged = |side: u16| (f64::from(side) * 8.0 / 7.0).round();
        prop_assert!(width == enlarged(w) || height == enlarged(h));
    }

    #[test]
    fn a_mirror_image_is_an_involution_and_five_are_the_first_of_ten(((w, h), frame_px) in sizes(), seed: u8) {
        let (w, h) = (w % 20 + 1, h % 20 + 1);
        let Some(views) = CropPlan::Ten.views(&input(w, h), frame_px) else { return Ok(()) };
        prop_assume!(views.picture.resized_len() < 200_000);
        let five = CropPlan::Five.views(&input(w, h), frame_px).unwrap();
        prop_assert_eq!(&views.list[..5], &five.list[..]);
        let picture: Vec<u8> = (0..views.picture.resized_len()).map(|at| (at as u8).wrapping_mul(37) ^ seed).collect();
        for (view, mirrored) in views.list[..5].iter().zip(&views.list[5..]) {
            let again = View { picture_width_px: view.width_px, x_px: 0, y_px: 0, ..*mirrored };
            prop_assert_eq!(cut(&again, &cut(mirrored, &picture)), cut(view, &picture));
        }
    }

    #[test]
    fn views_of_a_mirrored_frame_are_the_mirrored_views(frame_w in 1_u32..60, frame_h in 1_u32..60, seed: u8) {
        let Some(views) = CropPlan::Ten.views(&input(14, 21), (frame_w, frame_h)) else { return Ok(()) };
        let pixels: Vec<u8> = (0..frame_w * frame_h * 3).map(|at| (at as u8).wrapping_mul(91) ^ seed).collect();
        let flipped: Vec<u8> = pixels
            .chunks_exact(frame_w as usize * 3)
            .flat_map(|row| row.chunks_exact(3).rev().flatten().copied())
            .collect();
        let picture = |pixels: &[u8]| {
            let mut out = vec![0; views.picture.resized_len()];
            let frame = RgbFrame::new(frame_w, frame_h, pixels).unwrap();
            Preprocessor::new(views.picture.clone()).unwrap().resize_into(frame, &mut out).unwrap();
            out
        };
        let (plain, flipped) = (picture(&pixels), picture(&flipped));
        // The top left view of the flipped frame is the mirrored top right one, to the rounding of weights.
        for (of_flipped, of_plain) in [(0, 6), (1, 5), (2, 8), (3, 7)] {
            let one = cut(&views.list[of_flipped], &flipped);
            let other = cut(&views.list[of_plain], &plain);
            prop_assert!(one.iter().zip(&other).all(|(a, b)| a.abs_diff(*b) <= 1), "{of_flipped}");
        }
    }
}
