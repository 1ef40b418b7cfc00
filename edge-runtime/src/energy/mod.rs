//! What the machine draws, where it has a sensor.
//!
//! Some sensors count energy (`rapl`), others tell the power at one moment (`hwmon`) and must be asked again and again.
//! [`Metering`] does what its sensor needs, so nobody takes the one for the other.

mod hwmon;
mod rapl;

use std::path::Path;
use std::time::{Duration, Instant};

use self::hwmon::Rails;
use self::rapl::Packages;

/// Samples that come faster tell nothing new.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

/// What a machine has to measure energy with.
#[derive(Debug)]
pub struct EnergySensor(Kind);

#[derive(Debug)]
enum Kind {
    Counters(Packages),
    Powers(Rails),
}

/// A measurement that runs. [`Self::sample`] now and then, [`Self::finish`] in the end.
#[derive(Debug)]
pub struct Metering {
    source: Source,
    last_at: Instant,
    joules: f64,
    /// A sensor that could not be read on the way has missed something.
    is_whole: bool,
}

/// A sensor and what it said last.
#[derive(Debug)]
enum Source {
    Counters { packages: Packages, last_uj: Vec<u64> },
    Powers { rails: Rails, last_w: f64 },
}

/// What was drawn, whatever else ran.
#[derive(Debug, Clone, PartialEq)]
pub struct Energy {
    /// All of it.
    pub joules: f64,
    /// Which sensor it was, and what it measures.
    pub sensor: String,
}

impl EnergySensor {
    /// Looks below `sys`, which is `/sys` but in tests, for what may be read: counters first, they miss nothing.
    #[must_use]
    pub fn find(sys: &Path) -> Option<Self> {
        let counters = Packages::find(sys).map(Kind::Counters);
        counters.or_else(|| Rails::find(sys).map(Kind::Powers)).map(Self)
    }

    /// Begins to measure; nothing where the sensor cannot be read any more.
    #[must_use]
    pub fn start(self) -> Option<Metering> {
        self.start_at(Instant::now())
    }

    fn start_at(self, at: Instant) -> Option<Metering> {
        let source = match self.0 {
            Kind::Counters(packages) => Source::Counters { last_uj: packages.read_uj()?, packages },
            Kind::Powers(rails) => Source::Powers { last_w: rails.watts()?, rails },
        };
        Some(Metering { source, last_at: at, joules: 0.0, is_whole: true })
    }
}

impl Metering {
    /// To be called again and again while it runs; cheap where that is often.
    pub fn sample(&mut self) {
        self.sample_at(Instant::now());
    }

    /// The end; nothing where the sensor failed on the way.
    #[must_use]
    pub fn finish(self) -> Option<Energy> {
        self.finish_at(Instant::now())
    }

    fn sample_at(&mut self, at: Instant) {
        if at.saturating_duration_since(self.last_at) >= SAMPLE_INTERVAL {
            self.take(at);
        }
    }

    fn finish_at(mut self, at: Instant) -> Option<Energy> {
        self.take(at);
        self.is_whole.then(|| Energy { joules: self.joules, sensor: self.source.name() })
    }

    fn take(&mut self, at: Instant) {
        let seconds = at.saturating_duration_since(self.last_at).as_secs_f64();
        self.last_at = at;
        match self.source.joules_since_last(seconds) {
            Some(joules) => self.joules += joules,
            None => self.is_whole = false,
        }
    }
}

impl Source {
    fn joules_since_last(&mut self, seconds: f64) -> Option<f64> {
        match self {
            Self::Counters { packages, last_uj } => {
                let now_uj = packages.read_uj()?;
                let drawn = packages.joules_between(last_uj, &now_uj);
                *last_uj = now_uj;
                Some(drawn)
            }
            Self::Powers { rails, last_w } => {
                let now_w = rails.watts()?;
                let drawn = (*last_w + now_w) / 2.0 * seconds;
                *last_w = now_w;
                Some(drawn)
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Counters { .. } => "RAPL, all processor packages".to_owned(),
            Self::Powers { rails, .. } => rails.name(),
        }
    }
}

/// The number in a file of the kernel.
fn number<T: std::str::FromStr>(file: &Path) -> Option<T> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
