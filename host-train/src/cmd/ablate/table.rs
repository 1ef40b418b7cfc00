//! The ablations: named variants, as data. An ablation of a recipe that comes later is a few more rows.

use super::ablation::{Ablation, STAGE1, against, first, tuned, tuned_against};
use anyhow::{Context, Result};

/// Every ablation.
pub const ABLATIONS: &[Ablation] = &[
    Ablation {
        name: "self-training",
        about: "Does training on a system's own pseudo labels improve on its first stage?",
        variants: &[
            first("cu-generator", "cu", "iterations = 0"),
            against("cu-generator", "cu-classifier", "cu", ""),
            first("arms-first-iteration", "arms", "iterations = 1"),
            against("arms-first-iteration", "arms-last-iteration", "arms", ""),
            first("ranking-first-iteration", "arms", "objective = 'ranking'\niterations = 1"),
            against("ranking-first-iteration", "ranking-last-iteration", "arms", "objective = 'ranking'"),
            first(STAGE1, "mist", ""),
            tuned_against(STAGE1, "mist-stage2", ""),
        ],
    },
    Ablation {
        name: "mist-pseudo-labels",
        about: "Does an encoder that MIST fine-tunes on pseudo labels beat the first stage that made them, and labels of whole videos?",
        variants: &[
            first(STAGE1, "mist", ""),
            tuned_against(STAGE1, "pseudo-labels", ""),
            tuned_against("pseudo-labels", "video-labels", "pseudo_labels = false"),
        ],
    },
    Ablation {
        name: "mist-attention",
        about: "What does the self-guided attention add to MIST's second stage?",
        variants: &[tuned("full", ""), tuned_against("full", "without-attention", "attention = false")],
    },
    Ablation {
        name: "mist-guided-head",
        about: "Does the guided head help MIST's attention, or does the classifier's own loss teach it as well?",
        variants: &[tuned("full", ""), tuned_against("full", "without-guided-head", "guided_head = false")],
    },
    Ablation {
        name: "mist-sampling",
        about: "Do runs of consecutive clips (sparse continuous sampling) beat single clips, and does the way they are shifted matter?",
        variants: &[
            first("sparse-continuous", "mist", "shift = 'uniform'"),
            against("sparse-continuous", "sparse-continuous-random", "mist", "shift = 'random'"),
            against(
                "sparse-continuous",
                "single-uniform",
                "mist",
                "clips_per_segment = 1\nshift = 'uniform'",
            ),
            against("sparse-continuous", "single-random", "mist", "clips_per_segment = 1\nshift = 'random'"),
        ],
    },
    Ablation {
        name: "rtfm-parts",
        about: "What do the temporal network and the magnitude loss of RTFM add?",
        variants: &[
            first("full", "rtfm", ""),
            against("full", "without-magnitude", "rtfm", "magnitude = 0.0"),
            against("full", "without-temporal", "rtfm", "temporal = 'none'"),
            against("full", "without-regularisers", "rtfm", "sparsity = 0.0\nsmoothness = 0.0"),
        ],
    },
    Ablation {
        name: "cu-completeness",
        about: "Do several heads that must differ make CU's pseudo labels better?",
        variants: &[
            first("full", "cu", ""),
            against("full", "without-diversity", "cu", "alpha = 0.0"),
            against("full", "single-head", "cu", "heads = 1\nalpha = 0.0"),
        ],
    },
    Ablation {
        name: "cu-uncertainty",
        about: "Does it help CU to learn from the certain pseudo labels only?",
        variants: &[
            first("full", "cu", ""),
            against("full", "all-labels", "cu", "reliable_share = 1.0"),
            against("full", "one-pass", "cu", "reliable_share = 1.0\nfirst_passes = 1\nlater_passes = 1"),
        ],
    },
    Ablation {
        name: "arms-phases",
        about: "What do the three phases of ARMS add?",
        variants: &[
            first("all-phases", "arms", "phases = 'all'"),
            against("all-phases", "bootstrapping-only", "arms", "phases = 'bootstrapping'"),
            against("all-phases", "without-hard-mining", "arms", "phases = 'without-hard-mining'"),
            against("all-phases", "without-adaptive", "arms", "phases = 'without-adaptive'"),
        ],
    },
    Ablation {
        name: "arms-pseudo-labels",
        about: "Do pseudo labels of the highest and lowest quarter help ARMS?",
        variants: &[
            first("with", "arms", ""),
            against("with", "without", "arms", "pseudo_label_weight = 0.0"),
        ],
    },
    Ablation {
        name: "arms-objective",
        about: "Does a least share of abnormal snippets (AR-MIL) beat ranking the highest ones (MS-MIL)?",
        variants: &[
            first("ranking-top-1", "arms", "objective = 'ranking'\ntopk = 1"),
            against("ranking-top-1", "ranking-top-3", "arms", "objective = 'ranking'\ntopk = 3"),
            against("ranking-top-1", "abnormal-ratio", "arms", "objective = 'abnormal-ratio'"),
        ],
    },
];

/// The ablation of this name.
pub fn by_name(name: &str) -> Result<&'static Ablation> {
    let known = || ABLATIONS.iter().map(|ablation| ablation.name).collect::<Vec<_>>().join(", ");
    let found = ABLATIONS.iter().find(|ablation| ablation.name == name);
    found.with_context(|| format!("there is no ablation {name}; there are {}", known()))
}
