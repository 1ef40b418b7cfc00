use super::*;

const SIDE_PX: u32 = 64;
const FRAME_MS: u64 = 100;

/// A camera whose picture is a function of time and place.
struct Camera {
    health: PictureHealth,
    frame: u64,
}

impl Camera {
    fn new(tolerated: &[PictureFault]) -> Self {
        Self { health: PictureHealth::new(tolerated.to_vec()), frame: 0 }
    }

    /// Shows a scene for a time; the faults after each picture.
    fn show(&mut self, ms: u64, scene: impl Fn(u32, u32) -> u8) -> Vec<Option<PictureFault>> {
        self.show_colours(ms, |x, y| [scene(x, y); 3])
    }

    /// The same in colours.
    fn show_colours(&mut self, ms: u64, scene: impl Fn(u32, u32) -> [u8; 3]) -> Vec<Option<PictureFault>> {
        let mut show_one = |_| {
            self.frame += 1;
            let pixel = |at: u32| scene(at % SIDE_PX, at / SIDE_PX);
            let mut data: Vec<u8> = (0..SIDE_PX * SIDE_PX).flat_map(pixel).collect();
            // A live picture has noise, here in one value.
            data[0] ^= (self.frame % 2) as u8;
            let frame = RgbFrame::new(SIDE_PX, SIDE_PX, &data).unwrap();
            self.health.see(frame, MediaTimeMs(self.frame * FRAME_MS));
            self.health.fault()
        };
        (0..ms / FRAME_MS).map(&mut show_one).collect()
    }
}

/// A scene of random blocks.
fn street(number: u32) -> impl Fn(u32, u32) -> u8 {
    move |x, y| {
        let mix = |value: u32| (value ^ (value >> 15)).wrapping_mul(0x2c1b_3c6d);
        let block = mix(mix(mix(number + 1) ^ (x / 4)) ^ (y / 4));
        (40 + (block >> 26) * 2) as u8
    }
}

/// Pictures until a fault is reported.
fn first_fault(faults: &[Option<PictureFault>]) -> Option<u64> {
    faults.iter().position(Option::is_some).map(|n| n as u64 * FRAME_MS)
}

#[test]
fn a_live_street_has_no_fault() {
    assert_eq!(first_fault(&Camera::new(&[]).show(120_000, street(1))), None);
}

#[test]
fn darkness_and_a_covered_lens_are_faults_after_three_seconds_and_over_after_one() {
    for (level, fault) in [
        (0, PictureFault::Dark),
        (15, PictureFault::Dark),
        (17, PictureFault::Covered),
        (200, PictureFault::Covered),
    ] {
        let mut camera = Camera::new(&[]);
        camera.show(2_000, street(1));
        let faults = camera.show(6_000, |_, _| level);
        assert_eq!(first_fault(&faults), Some(BLIND_AFTER_MS), "{level}");
        assert_eq!(faults.last(), Some(&Some(fault)), "{level}");
        let faults = camera.show(3_000, street(1));
        let gone = faults.iter().position(Option::is_none).unwrap() as u64 * FRAME_MS;
        assert_eq!(gone, GONE_MS, "{level}");
    }
}

#[test]
fn a_hand_on_the_lens_is_a_gradient_and_a_dim_street_is_none() {
    let faults = Camera::new(&[]).show(4_000, |x, y| (30 + x + y / 2) as u8);
    assert_eq!(faults.last(), Some(&Some(PictureFault::Covered)));
    let street = street(1);
    let lamps = |x, y| if street(x, y) > 158 { 160 } else { 4 };
    let lit = (0..SIDE_PX * SIDE_PX).filter(|at| lamps(at % SIDE_PX, at / SIDE_PX) > 4).count();
    assert!((1..300).contains(&lit), "{lit} of 4096: its mean is that of darkness");
    assert_eq!(first_fault(&Camera::new(&[]).show(20_000, lamps)), None, "a street at night has edges");
}

#[test]
fn someone_in_front_of_a_plain_wall_is_seen() {
    let someone = |x, y| if (30..34).contains(&x) && (40..52).contains(&y) { 60 } else { 180 };
    assert_eq!(first_fault(&Camera::new(&[]).show(10_000, someone)), None);
}

#[test]
fn what_lasts_a_moment_is_no_fault() {
    let mut camera = Camera::new(&[]);
    for _ in 0..5 {
        assert_eq!(first_fault(&camera.show(BLIND_AFTER_MS - FRAME_MS, |_, _| 0)), None);
        assert_eq!(first_fault(&camera.show(FRAME_MS, street(1))), None);
    }
}

#[test]
fn a_picture_on_the_edge_does_not_flicker() {
    let mut camera = Camera::new(&[]);
    camera.show(4_000, |_, _| 15);
    // Above what begins darkness, below what ends it.
    let faults = camera.show(10_000, |_, _| 18);
    assert!(faults.iter().all(|fault| *fault == Some(PictureFault::Dark)));
}

#[test]
fn the_same_picture_for_ten_seconds_is_frozen() {
    let data: Vec<u8> = (0..SIDE_PX * SIDE_PX * 3).map(|n| (n * 7 % 200) as u8).collect();
    let frame = RgbFrame::new(SIDE_PX, SIDE_PX, &data).unwrap();
    let mut health = PictureHealth::new(Vec::new());
    for at_ms in (0..FROZEN_AFTER_MS).step_by(100) {
        health.see(frame, MediaTimeMs(at_ms));
        assert_eq!(health.fault(), None, "{at_ms}");
    }
    health.see(frame, MediaTimeMs(FROZEN_AFTER_MS));
    assert_eq!(health.fault(), Some(PictureFault::Frozen));
    health.begin_stream();
    health.see(frame, MediaTimeMs(0));
    assert_eq!(health.fault(), Some(PictureFault::Frozen), "opening it again does not thaw it");
}

#[test]
fn one_pixel_of_noise_is_no_frozen_picture() {
    let mut data = vec![0; 97 * 3];
    let mut digests = std::collections::BTreeSet::new();
    for at in 0..data.len() {
        data[at] = 1;
        digests.insert(digest(&data));
        data[at] = 0;
    }
    assert_eq!(digests.len(), data.len());
}

#[test]
fn a_camera_turned_away_is_moved_until_its_new_scene_is_the_usual_one() {
    let mut camera = Camera::new(&[]);
    assert_eq!(first_fault(&camera.show(60_000, street(1))), None);
    let faults = camera.show(120_000, street(2));
    assert_eq!(first_fault(&faults), Some(MOVED_AFTER_MS));
    assert_eq!(faults[(MOVED_AFTER_MS / FRAME_MS) as usize], Some(PictureFault::Moved));
    assert_eq!(faults.last(), Some(&None));
}

#[test]
fn light_and_passers_by_are_no_other_scene() {
    let mut camera = Camera::new(&[]);
    camera.show(30_000, street(1));
    let (sun, lorry) = (street(1), street(1));
    assert_eq!(first_fault(&camera.show(20_000, |x, y| 60 + sun(x, y) / 2)), None);
    let passing = |x, y| if x < SIDE_PX / 3 { 230 } else { lorry(x, y) };
    assert_eq!(first_fault(&camera.show(20_000, passing)), None);
}

/// A street by day.
fn in_colour(street: impl Fn(u32, u32) -> u8) -> impl Fn(u32, u32) -> [u8; 3] {
    move |x, y| [street(x, y), street(x, y) / 2 + 30, street(x, y) / 3]
}

#[test]
fn night_begins_with_a_fault_that_ends_and_leaves_no_other() {
    let mut camera = Camera::new(&[]);
    assert_eq!(first_fault(&camera.show_colours(20_000, in_colour(street(1)))), None);
    // By infrared light everything looks different.
    let faults = camera.show(60_000, street(2));
    assert_eq!(faults[0], Some(PictureFault::Switched));
    let settled = faults.iter().position(Option::is_none).unwrap();
    assert_eq!(settled as u64 * FRAME_MS, SETTLED_AFTER_MS);
    assert_eq!(first_fault(&faults[settled..]), None, "the night's scene is the usual one");
    assert_eq!(camera.show(6_000, street(3)).last(), Some(&Some(PictureFault::Moved)), "a thief at night");
    camera.show(120_000, street(3));
    assert_eq!(camera.show_colours(1_000, in_colour(street(4)))[0], Some(PictureFault::Switched), "morning");
}

#[test]
fn a_camera_that_was_moved_is_not_back_because_it_switches() {
    let mut camera = Camera::new(&[]);
    camera.show_colours(60_000, in_colour(street(1)));
    camera.show_colours(MOVED_AFTER_MS + 1_000, in_colour(street(2)));
    assert_eq!(camera.health.fault(), Some(PictureFault::Moved));
    let faults = camera.show(SETTLED_AFTER_MS + 3_000, street(2));
    assert_eq!(faults[0], Some(PictureFault::Switched));
    assert_eq!(faults.last(), Some(&Some(PictureFault::Moved)));
}

#[test]
fn a_flash_of_grey_leaves_the_usual_scene_and_the_third_switch_holds_nothing_back() {
    let mut camera = Camera::new(&[]);
    camera.show_colours(20_000, in_colour(street(1)));
    camera.show(1_500, street(2));
    // Clips hold pictures of the flash for a while.
    camera.show_colours(3_000, in_colour(street(1)));
    assert_eq!(first_fault(&camera.show_colours(20_000, in_colour(street(1)))), None);
    assert_eq!(camera.show(10_000, street(1))[0], Some(PictureFault::Switched));
    let third = camera.show_colours(1_000, in_colour(street(1)));
    assert_eq!(first_fault(&third), None);
    assert!(camera.health.has_switched() && !camera.health.settles());
}

#[test]
fn a_lamp_somebody_in_red_and_a_hand_are_no_night() {
    let mut camera = Camera::new(&[]);
    camera.show(20_000, street(1));
    let scene = street(1);
    let in_red = |x, y| if (20..30).contains(&x) && y > 20 { [200, 20, 20] } else { [scene(x, y); 3] };
    assert_eq!(first_fault(&camera.show_colours(5_000, in_red)), None);
    let mut camera = Camera::new(&[]);
    camera.show_colours(20_000, in_colour(street(1)));
    let dim = |x, y| in_colour(street(1))(x, y).map(|value| value / 8);
    let is_switch = |faults: &[Option<PictureFault>]| faults.contains(&Some(PictureFault::Switched));
    assert!(!is_switch(&camera.show_colours(5_000, dim)), "the lamp is off");
    assert!(!is_switch(&camera.show_colours(5_000, in_colour(street(1)))), "and on");
    assert_eq!(camera.show(5_000, |_, _| 100).last(), Some(&Some(PictureFault::Covered)));
    assert_eq!(camera.show_colours(5_000, in_colour(street(1))).last(), Some(&None));
}

#[test]
fn a_tolerated_fault_is_none() {
    let mut camera = Camera::new(&[PictureFault::Dark]);
    assert_eq!(first_fault(&camera.show(10_000, |_, _| 0)), None);
    assert_eq!(camera.show(10_000, |_, _| 100).last(), Some(&Some(PictureFault::Covered)));
}
