//! Videos and folders that changed between the stages.

use crate::footage::{config, cut, job, pretrained, training_videos, validation_videos};
use burn::tensor::Device;
use watchpost::finetune::labels::LabelledVideo;
use watchpost::finetune::training::{Training, train};
use watchpost::finetune::tuned::TunedRun;
use watchpost::recipe::mist_stage2_config::Stage2Config;
use watchpost::run::Flow;

/// The error of a training whose videos were changed after it was planned.
fn refused(change: impl Fn(&[LabelledVideo])) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (videos, config) = (training_videos(&folder), config());
    let (pretrained, device) = (pretrained(), Device::flex());
    let mut training = Training::new(job(&config, &videos, &[], &pretrained, &device)).unwrap();
    change(&videos);
    training.work(&mut |_, _| Ok(Flow::Continue)).unwrap_err().to_string()
}

#[test]
fn a_video_that_is_gone_is_named() {
    let error = refused(|videos| std::fs::remove_dir_all(&videos[3].entry.path).unwrap());
    assert!(error.contains("moving-b") && error.contains("No such file"), "{error}");
}

#[test]
fn a_video_that_became_shorter_is_named_with_the_remedy() {
    let error = refused(|videos| cut(&videos[0].entry, 10));
    assert!(error.contains("still-a") && error.contains("ends after 10 frames"), "{error}");
    assert!(error.contains("scored 40") && error.contains("watchpost extract"), "{error}");
}

#[test]
fn a_checkpoint_of_other_labels_or_settings_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (videos, val) = (training_videos(&folder), validation_videos(&folder));
    let (config, pretrained, device) = (config(), pretrained(), Device::flex());
    let run = TunedRun::create(&folder.path().join("run"), false).unwrap();
    let work = |config: &Stage2Config, videos: &[LabelledVideo]| {
        train(&run, job(config, videos, &val, &pretrained, &device), &mut |_| Flow::Stop)
            .map_err(|error| error.to_string())
    };
    work(&config, &videos).unwrap();
    let mut relabelled = videos.clone();
    relabelled[2].labels[0] = 0.25;
    assert!(work(&config, &relabelled).unwrap_err().contains("other data"));
    let other = Stage2Config { dropout: 0.25, ..config.clone() };
    let error = work(&other, &videos).unwrap_err();
    assert!(error.contains("dropout") && error.contains("checkpoint.safetensors"), "{error}");
    let longer = Stage2Config { epochs: config.epochs + 1, ..config };
    work(&longer, &videos).unwrap();
}
