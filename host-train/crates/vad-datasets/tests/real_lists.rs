//! The published lists, with features that are made up but for their lengths: the published numbers must come out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken set-up must stop the test")]

mod common;

use common::{Made, half_zeros, run};
use golden::shared_data;
use vad_datasets::{Dataset, Imported};

fn copy(made: &Made, folder: &std::path::Path, names: &[&str]) {
    for name in names {
        made.bytes(name, &std::fs::read(folder.join(name)).unwrap());
    }
}

fn clips(frames: usize) -> usize {
    frames.div_ceil(16)
}

#[test]
fn ucf_crime_has_the_published_videos_and_frames_under_both_conventions() {
    let Some(lists) = shared_data("lists") else { return };
    let folder = lists.join("ucf_crime");
    let made = Made::new();
    copy(&made, &folder, &["ucf-i3d.list", "ucf-i3d-test.list", "temporal_annotation_with_frame_counts.txt"]);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    for line in read("ucf-i3d.list").lines() {
        let name = line.trim().rsplit('\\').next().unwrap();
        made.bytes(&format!("f/{name}"), &half_zeros(&[1, 1]));
    }
    for line in read("temporal_annotation_with_frame_counts.txt").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let frames: usize = words[6].parse().unwrap();
        let name = words[0].replace(".mp4", "_i3d.npy");
        made.bytes(&format!("f/{name}"), &half_zeros(&[clips(frames), 1]));
    }
    let Imported { import, summary, .. } = made.import(Dataset::UcfCrime, &["f"]).unwrap();
    // No difference from the published counts of videos and frames.
    assert_eq!(summary.warnings(), [] as [String; 0]);
    let text = summary.to_string();
    for part in
        ["810 + 800", "140 + 150", "1114144       84343", "1109824       84160", "1114144       84160"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(import.videos.len(), 1900);
}

#[test]
fn shanghaitech_repeats_the_ground_truth_that_rtfm_ships() {
    let Some(lists) = shared_data("lists") else { return };
    let folder = lists.join("shanghaitech");
    let cases = golden::cases("rtfm/sht_gt_alignment");
    let frames = cases.first().unwrap().usize("in.frames").data;
    let shipped = vad_datasets::arrays::NpyFile::open(&folder.join("gt-sh.npy")).unwrap().read().unwrap();
    let made = Made::new();
    copy(
        &made,
        &folder,
        &["SH_Train_new.txt", "SH_Test_NEW.txt", "shanghai-i3d-test-10crop.list", "gt-sh.npy"],
    );
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    for line in read("SH_Train_new.txt").lines() {
        made.bytes(&format!("f/{}.npy", line.split(',').next().unwrap()), &half_zeros(&[1, 1]));
    }
    // What is shipped has 48 clips fewer than the normal videos fill; which of them lack one cannot be seen.
    let filled: usize = frames.iter().map(|&frames| clips(frames)).sum();
    let mut lacking = filled - shipped.values.len() / 16;
    // Masks are not in the folder of lists: they are cut out of what is shipped.
    let mut at = 0;
    for (line, &frames) in read("shanghai-i3d-test-10crop.list").lines().zip(&frames) {
        let id = line.rsplit('/').next().unwrap().trim().replace("_i3d.npy", "");
        let is_abnormal = id.split('_').nth(1).unwrap().len() == 4;
        let drops_one = !is_abnormal && lacking > 0;
        lacking -= usize::from(drops_one);
        let count = clips(frames) - usize::from(drops_one);
        made.bytes(&format!("f/{id}.npy"), &half_zeros(&[count, 1]));
        if is_abnormal {
            let mask: Vec<u8> = shipped.values[at..at + frames].iter().map(|&value| value as u8).collect();
            made.mask(&format!("test_frame_mask/{id}.npy"), &mask);
            at += count * 16;
        }
    }
    let mut request = made.request(Dataset::ShanghaiTech, &["f"]);
    request.ground_truth = Some(made.path().join("gt-sh.npy"));
    let done = run(&request).unwrap();
    let comparison = done.comparison.unwrap().to_string();
    assert!(
        comparison.contains("142912 frames, 8028 abnormal\n  RTFM: every frame is the same"),
        "{comparison}"
    );
    assert_eq!(done.summary.warnings(), [] as [String; 0]);
    let text = done.summary.to_string();
    for part in ["63 + 175", "44 + 155"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
