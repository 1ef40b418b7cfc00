use super::*;
use crate::clock::ManualClock;
use crate::evidence::sheet::{ClipSheet, ScorePoint};
use alarm_proto::{BootId, CameraId};

const MIB: u64 = 1 << 20;

struct Rig {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    health: Arc<Health>,
    config: EvidenceConfig,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = EvidenceConfig {
            folder: folder.path().join("kept/here"),
            max_bytes: 4 * MIB,
            max_age_days: 2,
            min_free_bytes: 0,
            pre_roll_ms: 0,
            post_roll_ms: 0,
            max_clip_ms: 1_000,
        };
        Self { folder, clock: Arc::default(), health: Arc::default(), config }
    }

    fn store(&self) -> Store {
        Store::open(&self.config, Arc::clone(&self.clock) as Arc<dyn Clock>, Arc::clone(&self.health))
    }

    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = std::fs::read_dir(self.config.folder.join("north"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    }
}

fn name(seq: u64) -> EventName {
    let boot = BootId { counter: 1, random: 0xa };
    EventName { camera: CameraId::try_from("north").unwrap(), boot, seq }
}

fn sheet(is_complete: bool) -> Box<Sheet> {
    Box::new(Sheet {
        record: "b/1/1".to_owned(),
        camera: "north".to_owned(),
        event: 1,
        severity: "warning".to_owned(),
        model: "m".to_owned(),
        wall_clock_ms: None,
        onset_media_ms: 0,
        raised_media_ms: 1,
        cleared_media_ms: None,
        peak: 0.5,
        raise_threshold: 0.5,
        scores: vec![ScorePoint { media_ms: 1, score: 0.5 }],
        snapshot: None,
        clip: None,
        is_complete,
        kept_for_h: 0,
    })
}

fn with_files(mut sheet: Box<Sheet>) -> Box<Sheet> {
    sheet.snapshot = Some("s.jpg".to_owned());
    let (file, begin_media_ms, end_media_ms) = ("c.mp4".to_owned(), 0, 1);
    let (width_px, height_px, missed_frames, is_cut) = (2, 2, 0, false);
    sheet.clip =
        Some(ClipSheet { file, begin_media_ms, end_media_ms, width_px, height_px, missed_frames, is_cut });
    sheet
}

fn event(store: &mut Store, seq: u64, clip_bytes: u64) {
    store.work(Job::Sheet(name(seq), sheet(false)));
    store.work(Job::Clip(name(seq), vec![1; clip_bytes as usize / 2]));
    store.work(Job::Snapshot(name(seq), vec![2; 100]));
    store.work(Job::Clip(name(seq), vec![3; clip_bytes as usize / 2]));
    store.work(Job::Sheet(name(seq), sheet(true)));
}

#[test]
fn an_event_is_three_files() {
    let rig = Rig::new();
    event(&mut rig.store(), 7, 1_000);
    assert_eq!(rig.files(), ["1-0000000a-7.jpg", "1-0000000a-7.json", "1-0000000a-7.mp4"]);
    let clip = std::fs::read(name(7).path(&rig.config.folder, Part::Clip)).unwrap();
    assert_eq!((clip.len(), clip[0], clip[999]), (1_000, 1, 3));
    let read = scan::read_sheet(&name(7).path(&rig.config.folder, Part::Sheet)).unwrap();
    assert_eq!(read, *sheet(true));
    assert!(rig.health.degraded().is_empty());
}

#[test]
fn the_oldest_events_make_room_for_new_ones_before_and_after_a_restart() {
    let rig = Rig::new();
    let mut store = rig.store();
    for seq in 1..=3 {
        event(&mut store, seq, MIB);
    }
    drop(store);
    let mut store = rig.store();
    assert_eq!(store.shelf.len(), 3);
    event(&mut store, 4, 2 * MIB);
    assert!(rig.files().iter().all(|file| file.contains("-3.") || file.contains("-4.")), "{:?}", rig.files());
    assert_eq!(rig.files().len(), 6);
    assert!(store.shelf.bytes() <= rig.config.max_bytes);
}

#[test]
fn evidence_ages_with_the_hours_that_the_board_ran_and_no_clock_makes_it_older() {
    let rig = Rig::new();
    let mut store = rig.store();
    event(&mut store, 1, 100);
    rig.clock.set_wall_ms(crate::clock::EARLIEST_VALID_WALL_MS + 10 * 365 * 24 * HOUR_MS);
    rig.clock.advance_ms(47 * HOUR_MS);
    store.age();
    assert_eq!(rig.files().len(), 3, "an hour is missing to two days, whatever the year");
    drop(store);
    let mut store = rig.store();
    rig.clock.advance_ms(HOUR_MS - 1);
    store.age();
    event(&mut store, 2, 100);
    assert_eq!(rig.files().len(), 6, "hours before the restart count, a part of one does not");
    rig.clock.advance_ms(1);
    store.age();
    assert_eq!(rig.files(), ["1-0000000a-2.jpg", "1-0000000a-2.json", "1-0000000a-2.mp4"]);
    assert_eq!(scan::read_sheet(&name(2).path(&rig.config.folder, Part::Sheet)).unwrap().kept_for_h, 47);
}

#[test]
fn what_is_not_evidence_is_left_alone_and_halves_of_files_are_not() {
    let rig = Rig::new();
    let north = rig.config.folder.join("north");
    std::fs::create_dir_all(&north).unwrap();
    for file in ["notes.txt", "1-0000000a-9.txt", "1-a-9.mp4", "notes.part", "1-0000000a-9.json.part"] {
        std::fs::write(north.join(file), "x").unwrap();
    }
    std::fs::write(rig.config.folder.join("north.json"), "x").unwrap();
    let mut store = rig.store();
    assert_eq!((store.shelf.len(), store.shelf.bytes()), (0, 0));
    rig.clock.advance_ms(1_000 * HOUR_MS);
    store.age();
    assert_eq!(rig.files(), ["1-0000000a-9.txt", "1-a-9.mp4", "notes.part", "notes.txt"]);
    assert!(rig.config.folder.join("north.json").exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_a_defect_until_it_can() {
    let rig = Rig::new();
    std::fs::write(rig.folder.path().join("kept"), "a file").unwrap();
    let mut store = rig.store();
    assert_eq!(rig.health.degraded(), [DEFECT]);
    event(&mut store, 1, 100);
    assert_eq!(rig.health.degraded(), [DEFECT]);
    std::fs::remove_file(rig.folder.path().join("kept")).unwrap();
    event(&mut store, 2, 100);
    assert!(rig.health.degraded().is_empty());
    assert_eq!(rig.files().len(), 3);
}

#[test]
fn evidence_leaves_the_disk_the_room_that_alarms_need() {
    let mut rig = Rig::new();
    let mut store = rig.store();
    event(&mut store, 1, 100);
    rig.config.min_free_bytes = u64::MAX / 2;
    let mut store = rig.store();
    assert!(rig.files().is_empty(), "the oldest goes first, here the only one");
    event(&mut store, 2, 100);
    assert!(rig.files().is_empty());
    assert_eq!(rig.health.degraded(), [DEFECT]);
}

#[test]
fn a_video_with_a_hole_is_not_continued() {
    let rig = Rig::new();
    let mut store = rig.store();
    store.work(Job::Sheet(name(1), sheet(false)));
    store.work(Job::Clip(name(1), vec![1; 10]));
    store.work(Job::Clip(name(1), vec![2; 5 * MIB as usize]));
    assert_eq!(rig.health.degraded(), [DEFECT], "more than all evidence may have");
    store.work(Job::Clip(name(1), vec![3; 10]));
    store.work(Job::Snapshot(name(1), vec![2; 10]));
    assert_eq!(rig.health.degraded(), [DEFECT], "what is small has room, and the video has none");
    assert_eq!(std::fs::read(name(1).path(&rig.config.folder, Part::Clip)).unwrap(), [1; 10]);
    store.work(Job::Sheet(name(1), with_files(sheet(true))));
    let sheet = scan::read_sheet(&name(1).path(&rig.config.folder, Part::Sheet)).unwrap();
    assert!(sheet.snapshot.is_some() && sheet.clip.unwrap().is_cut, "it says so");
    event(&mut store, 2, 100);
    assert!(rig.health.degraded().is_empty());
}

#[test]
fn a_sheet_names_no_file_that_is_not_there() {
    let rig = Rig::new();
    let mut store = rig.store();
    store.work(Job::Sheet(name(1), with_files(sheet(true))));
    let sheet = scan::read_sheet(&name(1).path(&rig.config.folder, Part::Sheet)).unwrap();
    assert_eq!((sheet.snapshot, sheet.clip), (None, None));
}

#[test]
fn minutes_before_a_restart_count_and_an_age_that_is_lost_is_told_by_the_latest_event() {
    let rig = Rig::new();
    let (sender, jobs) = std::sync::mpsc::sync_channel(1);
    drop(sender);
    for _ in 0..4 {
        let store = rig.store();
        rig.clock.advance_ms(HOUR_MS / 2);
        store.run(&jobs);
    }
    assert_eq!(rig.store().hours(), 2);
    let mut store = rig.store();
    event(&mut store, 1, 100);
    std::fs::write(rig.config.folder.join(AGE_FILE), "nonsense").unwrap();
    assert_eq!(rig.store().hours(), 2);
    std::fs::write(rig.config.folder.join(AGE_FILE), u64::MAX.to_string()).unwrap();
    let mut store = rig.store();
    rig.clock.advance_ms(HOUR_MS);
    store.age();
}

#[test]
fn what_cannot_be_removed_stays_and_is_a_defect() {
    let rig = Rig::new();
    let mut store = rig.store();
    event(&mut store, 1, 100);
    // A folder of that name cannot be removed as a file, whoever tries.
    let clip = name(1).path(&rig.config.folder, Part::Clip);
    std::fs::remove_file(&clip).unwrap();
    std::fs::create_dir(&clip).unwrap();
    rig.clock.advance_ms(48 * HOUR_MS);
    store.age();
    assert_eq!((store.shelf.len(), rig.health.degraded()), (1, vec![DEFECT.to_owned()]));
    std::fs::remove_dir(&clip).unwrap();
    rig.clock.advance_ms(HOUR_MS);
    store.age();
    assert_eq!((store.shelf.len(), rig.files().len(), rig.health.degraded().len()), (0, 0, 0));
}
