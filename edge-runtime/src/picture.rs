//! Whether a camera still shows its scene. A model that is given a black, covered or frozen picture says something all the
//! same; what it says is no reason for an alarm.
//!
//! What is judged is the picture as the camera gave it, before masks. Time is media time, which is the monotonic clock's
//! on a camera. Every fault must last before it counts, and must be gone for [`GONE_MS`] before it does not; its bounds lie
//! apart, so that a picture on the edge does not flicker.

use std::fmt;

use alarm_proto::FaultKind;
use serde::Deserialize;
use vad_core::{MediaTimeMs, RgbFrame};

/// A picture that never changes at all is frozen after this time: the noise of a sensor differs in every picture.
pub const FROZEN_AFTER_MS: u64 = 10_000;
/// A dark or covered picture is one after this time.
pub const BLIND_AFTER_MS: u64 = 3_000;
/// A camera that sees another scene has been moved after this time: longer than anything large takes to pass.
pub const MOVED_AFTER_MS: u64 = 5_000;
/// A fault is over when it has been gone for this time.
pub const GONE_MS: u64 = 1_000;
/// Time constant of the usual scene; a new one is taken for granted within about this time.
const USUAL_MS: u64 = 60_000;

/// Mean luma below which a picture without contrast is dark, and above which it no longer is; of 255.
const DARK_LEVEL: Bounds = Bounds { begins: 16.0, ends: 20.0 };
/// Contrast below which a picture may be dark or covered, and above which it no longer is. A gradient from black to white over
/// the whole picture has 2; the streets of UCSD Ped2 and of `watchpost scenes` have 8 and more.
const BLIND_CONTRAST: Bounds = Bounds { begins: 2.5, ends: 3.5 };
/// Share of edges below which such a picture may be covered, and above which it no longer is: someone in front of a plain
/// wall has an outline, which nothing so close to the lens has.
const BLIND_EDGES: Bounds = Bounds { begins: 0.002, ends: 0.004 };
/// Neighbouring samples that differ by more have an edge between them; noise seldom does.
const EDGE_LEVELS: f32 = 16.0;
/// Correlation with the usual scene below which a camera has been moved, and above which it no longer has. People and
/// vehicles change a few cells, light changes all of them alike.
const MOVED_CORRELATION: Bounds = Bounds { begins: 0.3, ends: 0.6 };
/// Scenes of less deviation between cells are too plain to be told apart.
const LEAST_DEVIATION: f32 = 2.0;

const CELL_COLUMNS: usize = 16;
const CELL_ROWS: usize = 12;
/// Samples of a cell each way.
const CELL_SAMPLES: usize = 4;
const COLUMNS: usize = CELL_COLUMNS * CELL_SAMPLES;
const ROWS: usize = CELL_ROWS * CELL_SAMPLES;

type Cells = [f32; CELL_COLUMNS * CELL_ROWS];

/// A value counts as low below `begins`, and until it is above `ends`.
struct Bounds {
    begins: f32,
    ends: f32,
}

impl Bounds {
    fn is_low(&self, value: f32, was_low: bool) -> bool {
        value < if was_low { self.ends } else { self.begins }
    }
}

/// Why a picture is no reason for an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum PictureFault {
    /// Nearly black, without contrast.
    Dark = 1,
    /// Without contrast: something is on the lens.
    Covered = 2,
    /// The same picture again and again.
    Frozen = 3,
    /// Another scene than the usual one.
    Moved = 4,
}

impl PictureFault {
    /// All of them, the one that explains most first.
    pub const ALL: [Self; 4] = [Self::Dark, Self::Covered, Self::Frozen, Self::Moved];
}

impl From<PictureFault> for FaultKind {
    fn from(fault: PictureFault) -> Self {
        match fault {
            PictureFault::Dark => Self::Dark,
            PictureFault::Covered => Self::Covered,
            PictureFault::Frozen => Self::Frozen,
            PictureFault::Moved => Self::Moved,
        }
    }
}

impl fmt::Display for PictureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dark => "dark",
            Self::Covered => "covered",
            Self::Frozen => "frozen",
            Self::Moved => "moved",
        })
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct PictureHealth {
    tolerated: Vec<PictureFault>,
    dark: Lasting,
    covered: Lasting,
    frozen: Lasting,
    moved: Lasting,
    /// Digest and time of the newest picture.
    newest: Option<(u64, MediaTimeMs)>,
    usual: Option<Box<Cells>>,
}

impl PictureHealth {
    /// Reports all faults but these.
    #[must_use]
    pub fn new(tolerated: Vec<PictureFault>) -> Self {
        Self { tolerated, ..Self::default() }
    }

    /// Takes the next picture.
    pub fn see(&mut self, frame: RgbFrame<'_>, at: MediaTimeMs) {
        let digest = digest(frame.data());
        let (is_same, since) = match self.newest {
            Some((newest, seen)) => (newest == digest, seen),
            None => (false, at),
        };
        self.newest = Some((digest, at));
        self.frozen.step(is_same, since, at, FROZEN_AFTER_MS);

        let Statistics { level, contrast, edges, cells } = Statistics::of(frame);
        let was_blind = self.covered.holds || self.dark.holds;
        let is_blind = BLIND_CONTRAST.is_low(contrast, was_blind) && BLIND_EDGES.is_low(edges, was_blind);
        let is_dark = is_blind && DARK_LEVEL.is_low(level, self.dark.holds);
        self.dark.step(is_dark, at, at, BLIND_AFTER_MS);
        self.covered.step(is_blind && !is_dark, at, at, BLIND_AFTER_MS);

        // Nobody can tell what a blind camera is aimed at.
        let likeness = if is_blind { 1.0 } else { self.likeness(&cells, at.ms_since(since)) };
        let is_other = MOVED_CORRELATION.is_low(likeness, self.moved.holds);
        self.moved.step(is_other, at, at, MOVED_AFTER_MS);
    }

    /// The fault that holds, if any.
    #[must_use]
    pub fn fault(&self) -> Option<PictureFault> {
        let holds = |fault: &PictureFault| match fault {
            PictureFault::Dark => self.dark.holds,
            PictureFault::Covered => self.covered.holds,
            PictureFault::Frozen => self.frozen.holds,
            PictureFault::Moved => self.moved.holds,
        };
        PictureFault::ALL.into_iter().find(|fault| holds(fault) && !self.tolerated.contains(fault))
    }

    /// A new stream counts its time from 0. A fault outlives its stream, since a camera that is opened again may be as blind as
    /// before.
    pub fn begin_stream(&mut self) {
        self.newest = None;
        [&mut self.dark, &mut self.covered, &mut self.frozen, &mut self.moved]
            .into_iter()
            .for_each(|fault| fault.since = None);
    }

    /// Correlation with the usual scene, which then takes a little of this one.
    fn likeness(&mut self, cells: &Cells, passed_ms: u64) -> f32 {
        let usual = self.usual.get_or_insert_with(|| Box::new(*cells));
        let likeness = correlation(usual, cells);
        let weight = (passed_ms as f32 / USUAL_MS as f32).min(1.0);
        usual.iter_mut().zip(cells).for_each(|(usual, cell)| *usual += weight * (cell - *usual));
        likeness
    }
}

/// Something that must last to begin, and must be gone for a while to end.
#[derive(Debug, Default)]
struct Lasting {
    holds: bool,
    /// Begin of the time that speaks for a change.
    since: Option<MediaTimeMs>,
}

impl Lasting {
    /// `since` is when what is seen at `at` began, if it began just now.
    fn step(&mut self, is_so: bool, since: MediaTimeMs, at: MediaTimeMs, begins_after_ms: u64) {
        if is_so == self.holds {
            self.since = None;
            return;
        }
        let since = *self.since.get_or_insert(since);
        if at.ms_since(since) >= if self.holds { GONE_MS } else { begins_after_ms } {
            *self = Self { holds: is_so, since: None };
        }
    }
}

/// A coarse look at a picture's luma, of the same number of samples in every size of picture.
struct Statistics {
    /// Mean, of 255.
    level: f32,
    /// Mean difference of neighbouring samples: a gradient over the picture has next to none, and edges have much.
    contrast: f32,
    /// Share of neighbouring samples with an edge between them, 0 to 1.
    edges: f32,
    /// Mean of each cell.
    cells: Cells,
}

impl Statistics {
    fn of(frame: RgbFrame<'_>) -> Self {
        let (width, height) = (frame.width_px() as usize, frame.height_px() as usize);
        let sample = |at: usize| {
            let (column, row) = (at % COLUMNS, at / COLUMNS);
            let (x, y) = ((2 * column + 1) * width / (2 * COLUMNS), (2 * row + 1) * height / (2 * ROWS));
            luma(frame.data(), (y * width + x) * 3)
        };
        let samples: [f32; COLUMNS * ROWS] = std::array::from_fn(sample);
        let mut cells = [0.0; CELL_COLUMNS * CELL_ROWS];
        for (at, sample) in samples.iter().enumerate() {
            let (column, row) = (at % COLUMNS / CELL_SAMPLES, at / COLUMNS / CELL_SAMPLES);
            cells[row * CELL_COLUMNS + column] += sample / (CELL_SAMPLES * CELL_SAMPLES) as f32;
        }
        let across =
            samples.chunks_exact(COLUMNS).flat_map(|row| row.windows(2).map(|w| (w[0] - w[1]).abs()));
        let down = samples.iter().zip(&samples[COLUMNS..]).map(|(a, b)| (a - b).abs());
        let pairs = ((COLUMNS - 1) * ROWS + COLUMNS * (ROWS - 1)) as f32;
        let count = |(sum, edges): (f32, f32), step: f32| (sum + step, edges + f32::from(step > EDGE_LEVELS));
        let (sum, edges) = across.chain(down).fold((0.0, 0.0), count);
        let level = samples.iter().sum::<f32>() / samples.len() as f32;
        Self { level, contrast: sum / pairs, edges: edges / pairs, cells }
    }
}

/// ITU-R BT.601.
fn luma(data: &[u8], at: usize) -> f32 {
    match data.get(at..at + 3) {
        Some(&[red, green, blue]) => {
            0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue)
        }
        _ => 0.0,
    }
}

/// Pearson's, -1 to 1; 1 where one of the two is too plain to tell.
fn correlation(a: &Cells, b: &Cells) -> f32 {
    let mean = |cells: &Cells| cells.iter().sum::<f32>() / cells.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |(x, y): (&f32, &f32)| (x - mean_a) * (y - mean_b);
    let covariance: f32 = a.iter().zip(b).map(product).sum();
    let sum_of_squares = |cells: &Cells, mean: f32| cells.iter().map(|x| (x - mean).powi(2)).sum::<f32>();
    let (squares_a, squares_b) = (sum_of_squares(a, mean_a), sum_of_squares(b, mean_b));
    let least = LEAST_DEVIATION.powi(2) * a.len() as f32;
    if squares_a.min(squares_b) < least { 1.0 } else { covariance / (squares_a * squares_b).sqrt() }
}

/// A quick hash: pictures that differ by chance have another one, and nobody makes pictures that have the same on purpose.
fn digest(data: &[u8]) -> u64 {
    const ODD: u64 = 0x517c_c1b7_2722_0a95;
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(ODD);
    let (words, rest) = data.as_chunks::<8>();
    let hash = words.iter().fold(data.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, &byte| mix(hash, byte.into()))
}

#[cfg(test)]
mod tests {
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
            let mut show_one = |_| {
                self.frame += 1;
                let pixel = |at: u32| [scene(at % SIDE_PX, at / SIDE_PX); 3];
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

    #[test]
    fn a_tolerated_fault_is_none() {
        let mut camera = Camera::new(&[PictureFault::Dark]);
        assert_eq!(first_fault(&camera.show(10_000, |_, _| 0)), None);
        assert_eq!(camera.show(10_000, |_, _| 100).last(), Some(&Some(PictureFault::Covered)));
    }
}
