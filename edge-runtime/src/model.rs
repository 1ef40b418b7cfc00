//! The model bundle, verified and loaded once; every camera shares it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model_bundle::{Bundle, BundleError};
use vad_core::{ClipSpec, ModelSpec, ScoreSpec};
use vad_infer::{Attention, Encoder, Head, InferError, Pulse, Scorer};

use crate::config::ScoreOverride;
use crate::detector::Detector;
use crate::eyes::Eyes;
use crate::hex;
use crate::tuned::{Tuned, TuningSource};

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The bundle is damaged or missing.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The bundle is for other boards.
    #[error("{}: this bundle is for {allowed}, not for `{hardware}`; set board.hardware or take another bundle", dir.display())]
    OtherHardware {
        /// The bundle.
        dir: PathBuf,
        /// Boards it is for.
        allowed: String,
        /// This board.
        hardware: String,
    },
    /// The number of frames at a time does not fit the bundle's clips.
    #[error(
        "{}: a pulse of {pulse} (model.pulse, --pulse) must be 1 to {} and divide the bundle's clips of {} frames every {}; 1 always does",
        dir.display(), Pulse::MOST, clip.frames, clip.stride
    )]
    Pulse {
        /// The bundle.
        dir: PathBuf,
        /// Frames at a time.
        pulse: usize,
        /// Clips of the bundle.
        clip: ClipSpec,
    },
    /// A graph does not load.
    #[error("{}: {source}", dir.display())]
    Graph {
        /// The bundle.
        dir: PathBuf,
        /// The reason.
        source: InferError,
    },
    /// The score settings contradict each other once the configuration's are applied.
    #[error("score settings of the bundle {} with the configuration's: {reason}", dir.display())]
    Score {
        /// The bundle.
        dir: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A loaded model.
pub struct Model {
    bundle: Bundle,
    dir: PathBuf,
    encoder: Arc<Encoder>,
    head: Arc<Head>,
    attention: Option<Arc<Attention>>,
    tuned: Tuned,
}

/// Verifies the bundle in `dir` for a board of kind `hardware` (`None`: any).
///
/// # Errors
/// [`ModelError`].
pub fn open_bundle(dir: &Path, hardware: Option<&str>) -> Result<Bundle, ModelError> {
    let bundle = Bundle::open(dir)?;
    let manifest = bundle.manifest();
    if let Some(hardware) = hardware.filter(|h| !manifest.allows_board(h)) {
        let (allowed, hardware) = (manifest.boards.join(", "), hardware.to_owned());
        return Err(ModelError::OtherHardware { dir: dir.to_owned(), allowed, hardware });
    }
    Ok(bundle)
}

impl Model {
    /// Verifies and loads the bundle in `dir` for a board of kind `hardware` (`None`: any). `source` says how its encoder is
    /// run.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn load(dir: &Path, hardware: Option<&str>, source: &TuningSource) -> Result<Self, ModelError> {
        let bundle = open_bundle(dir, hardware)?;
        let (Eyes { encoder, attention }, tuned) = source.load(&bundle, dir)?;
        let head = load_head(&bundle, dir)?;
        Ok(Self { bundle, dir: dir.to_owned(), encoder, head, attention, tuned })
    }

    /// What its encoder runs on, and why.
    #[must_use]
    pub fn tuned(&self) -> &Tuned {
        &self.tuned
    }

    /// The encoder that all cameras share.
    pub(crate) fn encoder(&self) -> &Arc<Encoder> {
        &self.encoder
    }

    /// The head that all cameras share.
    pub(crate) fn head(&self) -> &Arc<Head> {
        &self.head
    }

    /// What the model is.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        self.bundle.model()
    }

    /// The bundle's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// First bytes of the bundle's hash, as alarms carry them.
    #[must_use]
    pub fn short_id(&self) -> [u8; 8] {
        self.bundle.short_id()
    }

    /// The same in hexadecimal digits.
    #[must_use]
    pub fn hex_id(&self) -> String {
        hex::encode(&self.short_id())
    }

    /// One line for people: name, version, hash.
    #[must_use]
    pub fn title(&self) -> String {
        let manifest = self.bundle.manifest();
        format!("{} version {} ({})", manifest.name, manifest.version, self.hex_id())
    }

    /// The bundle's score settings with the overrides applied, outermost first.
    ///
    /// # Errors
    /// [`ModelError::Score`].
    pub fn score_spec(&self, overrides: &[&ScoreOverride]) -> Result<ScoreSpec, ModelError> {
        let mut score = self.spec().score.clone();
        for over in overrides {
            over.apply(&mut score);
        }
        score.validate().map_err(|e| ModelError::Score { dir: self.dir.clone(), reason: e.to_string() })?;
        Ok(score)
    }

    /// A detector at the start of its stream.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn detector(&self, score: ScoreSpec) -> Result<Detector, ModelError> {
        let graph = |source| ModelError::Graph { dir: self.dir.clone(), source };
        let scorer = Scorer::new(Arc::clone(&self.encoder), Arc::clone(&self.head), self.spec());
        let scorer = match &self.attention {
            Some(attention) => scorer.and_then(|scorer| scorer.with_attention(Arc::clone(attention))),
            None => scorer,
        };
        let scorer = scorer.map_err(graph)?;
        Detector::new(scorer, score)
            .map_err(|e| ModelError::Score { dir: self.dir.clone(), reason: e.to_string() })
    }
}

/// The head of `bundle`, read from `dir`.
pub(crate) fn load_head(bundle: &Bundle, dir: &Path) -> Result<Arc<Head>, ModelError> {
    let head = Head::from_onnx(bundle.head(), "head", bundle.model());
    head.map(Arc::new).map_err(|source| ModelError::Graph { dir: dir.to_owned(), source })
}

impl ScoreOverride {
    /// Replaces what is given.
    pub fn apply(&self, score: &mut ScoreSpec) {
        fn set<T: Copy>(value: &mut T, given: Option<T>) {
            *value = given.unwrap_or(*value);
        }
        set(&mut score.raise_threshold, self.raise_threshold);
        set(&mut score.clear_threshold, self.clear_threshold);
        set(&mut score.min_duration_ms, self.min_duration_ms);
        set(&mut score.cool_down_ms, self.cool_down_ms);
        set(&mut score.update_interval_ms, self.update_interval_ms);
    }
}
