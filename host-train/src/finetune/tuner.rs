//! One step of fine-tuning after the other: forward, losses, backward, clipping, Adam.

use burn::module::Module;
use burn::optim::GradientsAccumulator;
use burn::tensor::Device;

use super::clips::{Clip, ClipInput};
use super::crew::Crew;
use super::error::TuneError;
use super::lesson::{Group, Sums, Teacher};
use super::schedule::Schedule;
use super::start::{PADDING, Pretrained};
use crate::model::sga::encoder::{SgaEncoder, Trained};
use crate::optim::adam::{Adam, AdamConfig};
use crate::optim::clip::clip_global_norm;
use crate::recipe::mist_stage2_config::Stage2Config;
use crate::recipe::system::Losses;
use crate::rng::{Purpose, stream};
use crate::tensors::{Arrays, TensorsError, group, grouped};

/// Where a snapshot keeps the network and the optimiser.
const MODEL: &str = "model.";
const OPTIMISER: &str = "optimiser.";

/// A fine-tuning in progress.
pub struct Tuner {
    config: Stage2Config,
    input: ClipInput,
    schedule: Schedule,
    /// With autodiff.
    device: Device,
    encoder: SgaEncoder,
    crew: Crew,
    trained: Trained,
    adam: Adam,
}

impl Tuner {
    /// Begins on a plain device, and on copies on `more_devices`.
    ///
    /// # Errors
    /// When the weights do not fit the settings, or the system gives no thread.
    pub fn new(
        config: &Stage2Config,
        schedule: Schedule,
        pretrained: &Pretrained,
        device: &Device,
        more_devices: &[Device],
    ) -> Result<Self, TuneError> {
        let own = device.clone().autodiff();
        let trained = config.trained_in(0);
        let input = ClipInput::new(config.encoder, config.width_px, config.height_px);
        let teacher =
            Teacher { input: input.clone(), weights: config.class_weights(), guides: config.guides() };
        let encoder = pretrained.encoder(config, &own)?.training(trained);
        Ok(Self {
            config: config.clone(),
            input,
            schedule,
            crew: Crew::start(teacher, device, more_devices, &encoder)?,
            encoder,
            trained,
            adam: Adam::new(adam(config)),
            device: own,
        })
    }

    /// What the encoder is given.
    pub fn input(&self) -> &ClipInput {
        &self.input
    }

    /// Does the step of this number, counted from 0. `next` gives the clips of one batch after the other.
    ///
    /// # Errors
    /// Those of `next`, and when the clips do not fit the encoder or a device has failed.
    pub fn step(
        &mut self,
        step: u64,
        next: &mut dyn FnMut() -> Result<Vec<Clip>, TuneError>,
    ) -> Result<Losses, TuneError> {
        let epoch = self.schedule.epoch_of(step);
        self.set_trained(self.config.trained_in(epoch));
        self.crew.update(&self.encoder)?;
        let batches = self.schedule.batches_of(step);
        let count = (batches.end - batches.start) as f32;
        let (mut sums, mut grads) = (Sums::default(), GradientsAccumulator::new());
        for batch in batches {
            self.learn(batch, next()?, &mut sums, &mut grads)?;
        }
        let mut grads = grads.grads();
        let grad_norm = clip_global_norm(&self.encoder, &mut grads, self.config.clip_norm);
        self.adam.set_learning_rate(self.config.learning_rate_in(epoch));
        self.encoder = self.adam.step(self.encoder.clone(), grads);
        let parts: Vec<(&'static str, f32)> = [
            ("classifier", sums.classifier, true),
            ("guided", sums.guided, self.config.guides()),
            ("plain", sums.plain, self.encoder.has_plain_classifier()),
        ]
        .into_iter()
        .filter_map(|(name, sum, teaches)| teaches.then_some((name, sum / count)))
        .collect();
        Ok(Losses { total: parts.iter().map(|(_, loss)| loss).sum(), parts, grad_norm })
    }

    fn set_trained(&mut self, trained: Trained) {
        if trained != self.trained {
            self.encoder = self.encoder.clone().training(trained);
            self.trained = trained;
        }
    }

    /// Adds the gradients of a batch, group by group. Clips do not see each other, so the groups' gradients sum to the
    /// whole's. Which clips make a group, its dropout and its place in the sum do not depend on the number of devices.
    fn learn(
        &self,
        batch: u64,
        clips: Vec<Clip>,
        sums: &mut Sums,
        grads: &mut GradientsAccumulator<SgaEncoder>,
    ) -> Result<(), TuneError> {
        let Stage2Config { seed, dropout, clips_at_once, .. } = self.config;
        let mut rng = stream(seed, Purpose::Dropout, batch);
        let (whole, mut clips) = (clips.len() as f32, clips.into_iter());
        while clips.len() > 0 {
            let mut round = Vec::new();
            for device in self.crew.devices() {
                let clips: Vec<Clip> = clips.by_ref().take(clips_at_once.max(1)).collect();
                if !clips.is_empty() {
                    let mask = self.encoder.draw_mask(dropout, clips.len(), &mut rng, device);
                    round.push(Group { share: clips.len() as f32 / whole, clips, mask });
                }
            }
            for lesson in self.crew.lessons(&self.encoder, round)? {
                sums.add(lesson.sums);
                grads.accumulate(&self.encoder, lesson.grads);
            }
        }
        Ok(())
    }

    /// The encoder as it stands, for scoring.
    pub fn encoder(&self) -> SgaEncoder {
        self.encoder.valid()
    }

    /// Its weights under published names.
    pub fn weights(&self) -> Arrays {
        self.encoder.to_arrays()
    }

    /// Everything that changes from step to step.
    pub fn snapshot(&self) -> Arrays {
        grouped([(MODEL, self.encoder.to_arrays()), (OPTIMISER, self.adam.to_arrays())])
    }

    /// Takes back a snapshot that was taken before step `step`; after an error nothing has changed.
    ///
    /// # Errors
    /// When an array is missing or does not fit; `origin` says where the arrays came from.
    pub fn restore(&mut self, step: u64, snapshot: &Arrays, origin: &str) -> Result<(), TensorsError> {
        let (kind, model) = (self.config.encoder.kind(), group(snapshot, MODEL));
        let encoder = SgaEncoder::from_arrays(kind, &model, origin, PADDING, &self.device)?;
        let (plain, moments) = (self.device.clone().inner(), group(snapshot, OPTIMISER));
        self.adam = Adam::from_arrays(adam(&self.config), &moments, origin, &plain)?;
        self.trained = self.config.trained_in(self.schedule.epoch_of(step));
        self.encoder = encoder.training(self.trained);
        Ok(())
    }
}

fn adam(config: &Stage2Config) -> AdamConfig {
    AdamConfig {
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        ..AdamConfig::default()
    }
}
