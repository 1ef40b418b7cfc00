//! The student, and one step of its learning.

use burn::module::Module;
use burn::nn::Linear;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use vad_core::Preprocessor;

use super::beginning::Beginning;
use super::config::DistillConfig;
use super::error::DistillError;
use super::lessons::{CLIP, Footage, Window, clip_means};
use super::loss::{change_loss, explained, feature_loss, relation_loss};
use crate::backbone::i3d_lite::I3dLite;
use crate::model::dense;
use crate::optim::adam::{Adam, AdamConfig};
use crate::optim::clip::clip_global_norm;
use crate::recipe::system::Losses;
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError, group, grouped};
use crate::threads::in_threads;

/// Counter of the projection's first values, behind those of the network's layers.
const PROJECTION: u64 = 1000;

/// Where a snapshot keeps its parts.
const NET: &str = "net.";
const OPTIMISER: &str = "optimiser.";

/// Colours of a pixel.
const COLOURS: usize = 3;

/// The network with the projection to its teacher's features.
#[derive(Module, Debug)]
struct Student {
    net: I3dLite,
    projection: Linear,
}

/// Where a student learns.
#[derive(Clone, Debug)]
pub struct Place {
    /// A plain device.
    pub device: Device,
    /// Windows that go through the network together, at least 1. A graphics card is only filled by all of them; on a processor
    /// each has a thread of its own.
    pub at_once: usize,
}

/// A student in the middle of learning.
pub struct Pupil {
    config: DistillConfig,
    preprocessor: Preprocessor,
    /// With autodiff.
    device: Device,
    /// Windows that go through the network together.
    at_once: usize,
    student: Student,
    adam: Adam,
}

/// Pixels and targets of some windows.
struct Batch {
    /// `[N, 3, T, H, W]`.
    clips: Tensor<5>,
    /// `[N * clips, places, D]`.
    teacher: Tensor<3>,
}

impl Pupil {
    /// A fresh one on a plain device.
    ///
    /// # Errors
    /// When the first windows cannot be read, or `beginning` is not what the settings ask for, or another network.
    pub fn new(
        config: &DistillConfig,
        footage: &Footage,
        beginning: &Beginning,
        place: &Place,
    ) -> Result<Self, DistillError> {
        let Place { device, at_once } = place;
        let plan = config.size.plan();
        let preprocessor = Preprocessor::new(plan.preprocess())?;
        let own = device.clone().autodiff();
        let mut rng = stream(config.seed, Purpose::Weights, PROJECTION);
        let projection = dense::init(plan.feature_dim, footage.channels(), &mut rng, &own);
        let first: Vec<Window> = footage.pass(config.seed, 0).into_iter().take(config.windows).collect();
        let clips = batch(&preprocessor, footage, &first, device)?.clips;
        let net = beginning.net(config, clips, device)?;
        let net = I3dLite::from_arrays(config.size, &net.to_arrays(), "first values", "", &own)?;
        let student = Student { net, projection };
        let adam = Adam::new(adam(config));
        let at_once = *at_once;
        Ok(Self { config: config.clone(), preprocessor, device: own, at_once, student, adam })
    }

    /// Learns from some windows.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn step(
        &mut self,
        footage: &Footage,
        windows: &[Window],
        learning_rate: f32,
    ) -> Result<Losses, DistillError> {
        let groups: Vec<Batch> = windows
            .chunks(self.at_once.min(windows.len().max(1)))
            .map(|some| batch(&self.preprocessor, footage, some, &self.device))
            .collect::<Result<_, _>>()?;
        let Lesson { feature, change, relation, mut grads } =
            lesson(&self.student, groups, &self.config, footage.change(), &self.device);
        let grad_norm = clip_global_norm(&self.student, &mut grads, self.config.clip_norm);
        self.adam.set_learning_rate(learning_rate);
        self.student = self.adam.step(self.student.clone(), grads);
        let total = feature + self.config.change_weight * change + self.config.relation_weight * relation;
        let parts = vec![("features", feature), ("changes", change), ("relations", relation)];
        Ok(Losses { total, parts, grad_norm })
    }

    /// Share of the variance of the teacher's clip features, the means over places, that the student's projected ones
    /// explain: the mean over channels, over all windows of footage that lie side by side; nothing where there is no window.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn explained(&self, footage: &Footage) -> Result<Option<f32>, DistillError> {
        let student = self.student.valid();
        let plain = self.device.clone().inner();
        let (mut own, mut teachers) = (Vec::new(), Vec::new());
        let windows = footage.windows(0);
        for some in windows.chunks(self.config.windows) {
            let Batch { clips, teacher } = batch(&self.preprocessor, footage, some, &plain)?;
            own.push(mean_place(student.look(clips).projected.reshape(teacher.dims())));
            teachers.push(mean_place(teacher));
        }
        Ok((!teachers.is_empty()).then(|| explained(Tensor::cat(own, 0), Tensor::cat(teachers, 0))))
    }

    /// The network's weights, which is what boards run.
    pub fn weights(&self) -> Arrays {
        self.student.net.to_arrays()
    }

    /// Everything that changes from step to step.
    pub fn snapshot(&self) -> Arrays {
        let mut net = self.weights();
        dense::store(&self.student.projection, "projection", &mut net);
        grouped([(NET, net), (OPTIMISER, self.adam.to_arrays())])
    }

    /// Takes a snapshot back; after an error nothing has changed.
    ///
    /// # Errors
    /// When an array is missing or does not fit; `origin` says where the arrays came from.
    pub fn restore(&mut self, snapshot: &Arrays, origin: &str) -> Result<(), TensorsError> {
        let arrays = group(snapshot, NET);
        let widths =
            [self.config.size.plan().feature_dim, dense::stored_outputs(&arrays, origin, "projection")?];
        let student = Student {
            net: I3dLite::from_arrays(self.config.size, &arrays, origin, "", &self.device)?,
            projection: dense::load(&arrays, origin, "projection", widths, &self.device)?,
        };
        let plain = self.device.clone().inner();
        self.adam = Adam::from_arrays(adam(&self.config), &group(snapshot, OPTIMISER), origin, &plain)?;
        self.student = student;
        Ok(())
    }
}

/// What a student makes of clips.
struct Seen {
    /// Its own features, `[N * clips, places, D]`.
    own: Tensor<3>,
    /// Their projections, `[N * clips * places, D']`.
    projected: Tensor<2>,
}

/// What a step teaches.
struct Lesson {
    feature: f32,
    change: f32,
    relation: f32,
    grads: GradientsParams,
}

/// One group of windows on its way through a copy of the student, before its gradients are taken.
struct Halfway {
    copy: Student,
    /// The group's share of the feature loss.
    feature: Tensor<1>,
    /// And of the change loss.
    change: Tensor<1>,
    /// `[clips, D]`.
    own: Tensor<2>,
}

/// Losses and gradients over groups of windows, each in a thread of its own.
///
/// The relation loss is over the clips of all groups. So the groups stop halfway: its gradient by their features is taken by
/// itself, and goes backward through each group beside the feature loss. That is the gradient of one large batch, summed group
/// by group (Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", 2021).
fn lesson(
    student: &Student,
    groups: Vec<Batch>,
    config: &DistillConfig,
    usual_change: f32,
    device: &Device,
) -> Lesson {
    let clips: usize = groups.iter().map(|group| group.teacher.dims()[0]).sum();
    let teacher = Tensor::cat(groups.iter().map(|group| mean_place(group.teacher.clone())).collect(), 0);
    let halfway = in_threads(groups, |Batch { clips: pictures, teacher }| {
        let copy = student.clone().fork(device);
        let [own_clips, places, channels] = teacher.dims();
        let share = own_clips as f32 / clips as f32;
        let seen = copy.look(pictures);
        let windows = [own_clips / config.clips, config.clips, places * channels];
        let (projected, changed) =
            (seen.projected.clone().reshape(windows), teacher.clone().reshape(windows));
        let change = change_loss(projected, changed, usual_change) * share;
        let feature = feature_loss(seen.projected, teacher.flatten(0, 1)) * share;
        Halfway { feature, change, own: mean_place(seen.own), copy }
    });
    let sum = |of: fn(&Halfway) -> &Tensor<1>| {
        halfway.iter().map(|group| of(group).clone().into_scalar::<f32>()).sum::<f32>()
    };
    let (feature, change) = (sum(|group| &group.feature), sum(|group| &group.change));

    let own: Vec<Tensor<2>> = halfway.iter().map(|group| group.own.clone().detach()).collect();
    let own = Tensor::cat(own, 0).require_grad();
    let relation = relation_loss(own.clone(), teacher);
    let by_own = own.grad(&(relation.clone() * config.relation_weight).backward());
    let relation = relation.into_scalar::<f32>();

    let mut first = 0;
    let parts: Vec<(Halfway, Option<Tensor<2>>)> = halfway
        .into_iter()
        .map(|group| {
            let own = by_own.clone().map(|grad| grad.narrow(0, first, group.own.dims()[0]));
            first += group.own.dims()[0];
            (group, own)
        })
        .collect();
    let grads = in_threads(parts, |(Halfway { copy, feature, change, own }, by_own)| {
        let direct = feature + change * config.change_weight;
        let relation = by_own.map(|grad| (own * Tensor::from_inner(grad)).sum());
        let total = relation.map_or(direct.clone(), |relation| direct + relation);
        GradientsParams::from_grads(total.backward(), &copy)
    });
    let mut sum = GradientsAccumulator::new();
    for grads in grads {
        sum.accumulate(student, grads);
    }
    Lesson { feature, change, relation, grads: sum.grads() }
}

impl Student {
    /// Looks at windows, `[N, 3, T, H, W]`.
    fn look(&self, windows: Tensor<5>) -> Seen {
        let own = clip_means(self.net.maps(windows));
        let projected = self.projection.forward(own.clone().flatten(0, 1));
        Seen { own, projected }
    }
}

/// `[clips, places, D]` to `[clips, D]`.
fn mean_place(places: Tensor<3>) -> Tensor<2> {
    places.mean_dim(1).squeeze_dim(1)
}

fn batch(
    preprocessor: &Preprocessor,
    footage: &Footage,
    windows: &[Window],
    device: &Device,
) -> Result<Batch, DistillError> {
    let spec = preprocessor.spec();
    let (mut values, mut targets, mut frames) = (Vec::new(), Vec::new(), 0);
    for window in windows {
        let pixels = footage.frames(*window)?;
        let pictures = pixels.chunks_exact(spec.resized_len());
        frames = pictures.len();
        let begin = values.len();
        values.resize(begin + pixels.len(), 0.0);
        let id = || footage.lessons()[window.lesson].id.clone();
        preprocessor
            .normalise_into(pictures, &mut values[begin..])
            .map_err(|source| DistillError::Frame { id: id(), source })?;
        targets.extend(footage.targets(*window)?);
    }
    let [height, width] = [spec.height_px, spec.width_px].map(usize::from);
    let shape = [windows.len(), COLOURS, frames, height, width];
    let clips = windows.len() * frames / usize::from(CLIP.frames);
    let axes = [clips, footage.channels(), footage.places()];
    let teacher: Tensor<3> = Tensor::from_data(TensorData::new(targets, axes), device);
    Ok(Batch {
        clips: Tensor::from_data(TensorData::new(values, shape), device),
        teacher: teacher.swap_dims(1, 2),
    })
}

fn adam(config: &DistillConfig) -> AdamConfig {
    AdamConfig {
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        ..AdamConfig::default()
    }
}
