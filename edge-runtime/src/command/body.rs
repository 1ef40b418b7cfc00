//! What a command says.

use alarm_proto::CameraId;
use serde::Deserialize;

/// Longest name that a command may give itself, bytes.
const MAX_ID_BYTES: usize = 64;
/// Longest snooze: a day, seconds.
const MAX_SNOOZE_S: u64 = 86_400;

/// A command, taken apart and checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub id: Option<String>,
    pub board: Option<String>,
    pub counter: Option<u64>,
    /// Milliseconds since 1970.
    pub valid_until_ms: Option<u64>,
    /// `None`: all.
    pub camera: Option<CameraId>,
    pub action: Action,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Action {
    Arm,
    Disarm,
    Snooze {
        for_ms: u64,
    },
    /// `None`: as configured.
    Threshold(Option<f32>),
    Acknowledge,
    Snapshot,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    command: Verb,
    id: Option<String>,
    camera: Option<String>,
    for_s: Option<u64>,
    value: Option<f32>,
    board: Option<String>,
    counter: Option<u64>,
    valid_until_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    Arm,
    Disarm,
    Snooze,
    Threshold,
    Acknowledge,
    Snapshot,
}

impl Command {
    /// Reads a body of bounded length.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        // An array would do for serde, and says nothing by name.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err("not understood: a command is a JSON object".to_owned());
        }
        let body: Body = serde_json::from_slice(body).map_err(|e| format!("not understood: {e}"))?;
        if body.id.as_ref().is_some_and(|id| id.len() > MAX_ID_BYTES) {
            return Err(format!("`id` is longer than {MAX_ID_BYTES} bytes"));
        }
        let action = body.action()?;
        let camera = body.camera.as_deref().map(CameraId::try_from).transpose();
        let camera = camera.map_err(|e| format!("`camera`: {e}"))?;
        if camera.is_some() && action == Action::Acknowledge {
            return Err("`camera` does not belong to acknowledge: it is for all outputs".to_owned());
        }
        if camera.is_none() && action == Action::Snapshot {
            return Err("snapshot needs `camera`".to_owned());
        }
        let Body { id, board, counter, valid_until_ms, .. } = body;
        Ok(Self { id, board, counter, valid_until_ms, camera, action })
    }
}

impl Body {
    fn action(&self) -> Result<Action, String> {
        if self.for_s.is_some() && self.command != Verb::Snooze {
            return Err("`for_s` belongs to snooze alone".to_owned());
        }
        if self.value.is_some() && self.command != Verb::Threshold {
            return Err("`value` belongs to threshold alone".to_owned());
        }
        match self.command {
            Verb::Arm => Ok(Action::Arm),
            Verb::Disarm => Ok(Action::Disarm),
            Verb::Acknowledge => Ok(Action::Acknowledge),
            Verb::Snapshot => Ok(Action::Snapshot),
            Verb::Snooze => match self.for_s {
                Some(seconds @ 1..=MAX_SNOOZE_S) => Ok(Action::Snooze { for_ms: seconds * 1_000 }),
                _ => Err(format!("snooze needs `for_s`, 1 to {MAX_SNOOZE_S}")),
            },
            Verb::Threshold => match self.value {
                Some(value) if !(0.0..=1.0).contains(&value) => Err("`value` is outside 0 to 1".to_owned()),
                value => Ok(Action::Threshold(value)),
            },
        }
    }
}
