//! Export of a fine-tuned encoder with its own classifier.

use super::precision::{Exported, Sources};
use super::{Args, PARITY_CLIPS, reference_of};
use crate::cmd::options::PaceOptions;
use crate::cmd::tuned::{self, Head};
use crate::cmd::work::Work;
use crate::finetune::tuned::TunedRun;
use anyhow::{Context, Result, ensure};
use model_export::{BundleFacts, EXPORT_F32, check_parity};
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
    let facts = BundleFacts { version: args.version, overwrite: args.overwrite, ..BundleFacts::default() };
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
    let int8 = args.precision.choose(&exported)?;
    let bundle = model_export::bundle(&model, sources.with(&int8), &args.out, &facts)?;
    let mut reference = Vec::new();
    for entry in work.dataset()?.manifest.entries() {
        let left = PARITY_CLIPS - reference.len();
        for features in tuned::features(work, &encoder, std::slice::from_ref(entry), &encoding)?.into_values()
        {
            reference.extend(reference_of(&entry.id, features.first_clips(left), &scorer)?);
        }
        if reference.len() >= PARITY_CLIPS {
            break;
        }
    }
    let report = check_parity(&bundle, &reference, &EXPORT_F32)?;
    println!(
        "parity over {} clips: largest score difference {:.1e} (allowed {:.0e})",
        report.scores, report.score_max_error, EXPORT_F32.score_absolute
    );
    println!("bundle {} version {}: {}", model.name, args.version, args.out.display());
    Ok(())
}
