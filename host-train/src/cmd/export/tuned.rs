//! Export of a fine-tuned encoder with its own classifier.

use super::precision::{Exported, Sources};
use super::{Args, PARITY_CLIPS, check_scores, print_bundle, reference_of, write};
use crate::cmd::options::PaceOptions;
use crate::cmd::tuned::{self, Head};
use crate::cmd::work::Work;
use crate::finetune::tuned::{TunedEncoder, TunedRun};
use crate::tensors::Array;
use anyhow::{Context, Result, ensure};
use model_export::{ATTENTION_ABSOLUTE, ReferenceAttention, check_attention};
use vad_data::{FeatureSpec, VideoEntry};

/// Clips whose attention the exported graph must repeat. Each is decoded and goes through the trainer's own network.
const ATTENTION_CLIPS: usize = 8;

/// Exports an I3D-lite that was fine-tuned: the network, the plain classifier, and the attention where there is one, by
/// which boards explain their alarms.
pub(super) fn run(args: &Args, work: &Work, run: &TunedRun) -> Result<()> {
    ensure!(
        args.window.is_none(),
        "a fine-tuned encoder scores each clip by itself\n  remedy: leave --window out"
    );
    let spec =
        run.spec().context("the fine-tuning is not finished\n  remedy: finish `watchpost finetune`")?;
    let mut model = spec.board_model().with_context(|| {
        format!(
            "{} is a fine-tuned {}, which no board program runs\n  remedy: export the run of --recipe mist that it came from, or fine-tune a distilled encoder",
            spec.name,
            spec.encoder.name()
        )
    })?;
    let encoding = PaceOptions::default().in_burn(args.compute.device)?;
    let encoder = tuned::encoder(run, &encoding.devices)?;
    let own = encoder.first();
    model.attention = own.network().board_attention(model.preprocess.height_px, model.preprocess.width_px);
    let scorer = Head::Own.scorer(run, own, args.compute.device)?;
    let sources = Sources {
        encoder: run.board_encoder_path(),
        head: run.board_head_path(),
        attention: model.attention.is_some().then(|| run.encoder_path()),
    };
    let exported = Exported {
        work,
        run: run.run().dir(),
        features: FeatureSpec::new(model.preprocess.clone(), model.clip),
        scorer: &scorer,
        spec: &model,
        sources: &sources,
    };
    let bundle = write(args, &exported)?;
    let dataset = work.dataset()?;
    let (mut reference, mut videos) = (Vec::new(), Vec::new());
    for entry in dataset.manifest.entries() {
        let left = PARITY_CLIPS - reference.len();
        for features in tuned::features(work, &encoder, std::slice::from_ref(entry), &encoding)?.into_values()
        {
            videos.push((entry, features.frames));
            reference.extend(reference_of(&entry.id, features.first_clips(left), &scorer)?);
        }
        if reference.len() >= PARITY_CLIPS {
            break;
        }
    }
    check_scores(&bundle, &reference)?;
    if model.attention.is_some() {
        let maps = attention_of(own, &videos)?;
        let worst = check_attention(&bundle, &maps)?;
        println!(
            "attention over {} clips: largest difference {worst:.1e} (allowed {ATTENTION_ABSOLUTE:.0e})",
            maps.len()
        );
    }
    print_bundle(args, &model);
    Ok(())
}

/// The trainer's own attention in the middle of the first of these videos, each with its number of frames.
fn attention_of(encoder: &TunedEncoder, videos: &[(&VideoEntry, u64)]) -> Result<Vec<ReferenceAttention>> {
    let input = encoder.spec().input();
    let mut maps = Vec::new();
    for (entry, frames) in videos.iter().take(ATTENTION_CLIPS) {
        let begin = frames.saturating_sub(encoder.spec().clip.frames.into()) / 2;
        let pixels = input.clip_at(entry, *frames, begin)?;
        let made = encoder.tapped_attention(&pixels)?;
        maps.extend(made.map(|made| ReferenceAttention {
            tapped: Array::from_tensor(made.tapped).values,
            attention: Array::from_tensor(made.map).values,
        }));
    }
    Ok(maps)
}
