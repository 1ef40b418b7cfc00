//! Export of a fine-tuned encoder with its own classifier.

use super::precision::{Exported, Sources};
use super::{Args, PARITY_CLIPS, print_bundle, reference_of, write};
use crate::cmd::options::PaceOptions;
use crate::cmd::tuned::{self, Head};
use crate::cmd::work::Work;
use crate::finetune::tuned::TunedRun;
use anyhow::{Context, Result, ensure};
use vad_data::FeatureSpec;

/// Exports an I3D-lite that was fine-tuned: the network without its attention, and the plain classifier.
pub(super) fn run(args: &Args, work: &Work, run: &TunedRun) -> Result<()> {
    ensure!(
        args.window.is_none(),
        "a fine-tuned encoder scores each clip by itself\n  remedy: leave --window out"
    );
    let spec =
        run.spec().context("the fine-tuning is not finished\n  remedy: finish `watchpost finetune`")?;
    let model = spec.board_model().with_context(|| {
        format!(
            "{} is a fine-tuned {}, which no board program runs\n  remedy: export the run of --recipe mist that it came from, or fine-tune a distilled encoder",
            spec.name,
            spec.encoder.name()
        )
    })?;
    let encoding = PaceOptions::default().in_burn(args.compute.device)?;
    let encoder = tuned::encoder(run, &encoding.devices)?;
    let scorer = Head::Own.scorer(run, encoder.first(), args.compute.device)?;
    let sources = Sources { encoder: run.board_encoder_path(), head: run.board_head_path() };
    let exported = Exported {
        work,
        run: run.run().dir(),
        features: FeatureSpec::new(model.preprocess.clone(), model.clip),
        scorer: &scorer,
        spec: &model,
        sources: &sources,
    };
    write(args, &exported, || {
        let mut reference = Vec::new();
        for entry in work.dataset()?.manifest.entries() {
            let left = PARITY_CLIPS - reference.len();
            let one = std::slice::from_ref(entry);
            for features in tuned::features(work, &encoder, one, &encoding)?.into_values() {
                reference.extend(reference_of(&entry.id, features.first_clips(left), &scorer)?);
            }
            if reference.len() >= PARITY_CLIPS {
                break;
            }
        }
        Ok(reference)
    })?;
    print_bundle(args, &model);
    Ok(())
}
