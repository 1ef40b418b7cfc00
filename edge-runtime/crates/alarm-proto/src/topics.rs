//! MQTT topics: `<prefix>/<site>/<board>/<channel>/bin`.
//!
//! Frames of this crate travel on topics that end in `/bin`; other encodings of the same facts
//! (JSON) may stand beside them. Prefix, site and board are single levels without wildcards, so
//! no name can reach into another board's topics.

use core::fmt::{self, Write};

use heapless::String;
use thiserror::Error;

use crate::name::{BoardId, MAX_NAME_LEN, NameError, SiteId, Text, check};

/// Prefix unless configured otherwise.
pub const DEFAULT_PREFIX: &str = "watchpost";
/// Length of the longest topic, in bytes.
pub const MAX_TOPIC_LEN: usize = 3 * (MAX_NAME_LEN + 1) + "heartbeat/bin".len();

/// A topic or a topic filter as text.
pub type TopicText = String<MAX_TOPIC_LEN>;

/// First level of all topics of one installation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix(Text);

/// What a topic carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Records, board to hub: alarms, faults and gaps.
    Alarm,
    /// Acknowledgements, hub to board.
    Ack,
    /// Heartbeats, board to hub.
    Heartbeat,
}

/// The topic of one channel of one board.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic {
    /// First level.
    pub prefix: Prefix,
    /// Second level.
    pub site: SiteId,
    /// Third level.
    pub board: BoardId,
    /// Fourth level.
    pub channel: Channel,
}

/// Why a text is not a topic of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TopicError {
    /// It does not have five levels, the last of them `bin`.
    #[error("topic is not of the form <prefix>/<site>/<board>/<channel>/bin")]
    Form,
    /// A name in it is not allowed.
    #[error("topic has a bad {level}: {error}")]
    Name {
        /// Which level, in words.
        level: &'static str,
        /// What is wrong with it.
        error: NameError,
    },
    /// The fourth level is not a channel.
    #[error("topic has an unknown channel; alarm, ack and heartbeat are known")]
    Channel,
}

impl Prefix {
    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Prefix {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        check(text).map(Self)
    }
}

impl Default for Prefix {
    /// [`DEFAULT_PREFIX`].
    fn default() -> Self {
        // Known to fit; a test says so.
        Self(Text::try_from(DEFAULT_PREFIX).unwrap_or_default())
    }
}

impl Channel {
    /// All channels.
    pub const ALL: [Self; 3] = [Self::Alarm, Self::Ack, Self::Heartbeat];

    /// Its level in a topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Ack => "ack",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// What is told in words and JSON beside the frames: `<prefix>/<site>/<board>/<channel>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plain {
    /// `online` or `offline`, retained.
    Available,
    /// The board as it is, retained.
    State,
    /// Events as they begin, go on and end.
    Reviews,
    /// Commands to the board.
    Command,
    /// Answers to commands.
    Reply,
    /// Pictures that were asked for; a level with the camera's name follows.
    Snapshot,
}

impl Plain {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Available, Self::State, Self::Reviews, Self::Command, Self::Reply, Self::Snapshot];

    /// Its last levels in a topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::State => "state",
            Self::Reviews => "reviews",
            Self::Command => "command",
            Self::Reply => "command/reply",
            Self::Snapshot => "snapshot",
        }
    }
}

/// The topic of a board for words and JSON.
#[must_use]
pub fn plain(prefix: &Prefix, site: &SiteId, board: &BoardId, channel: Plain) -> TopicText {
    let mut text = TopicText::new();
    // Cannot fail: no channel is longer than `heartbeat/bin`; a test says so.
    let _ = write!(text, "{}/{site}/{board}/{}", prefix.as_str(), channel.as_str());
    text
}

impl Topic {
    /// The topic as text.
    #[must_use]
    pub fn text(&self) -> TopicText {
        join(&self.prefix, self.site.as_str(), self.board.as_str(), self.channel)
    }

    /// Reads a topic.
    ///
    /// # Errors
    ///
    /// A [`TopicError`] for anything that [`Self::text`] would not write.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        let mut levels = text.split('/');
        let mut next = || levels.next().ok_or(TopicError::Form);
        let (prefix, site, board, channel, encoding) = (next()?, next()?, next()?, next()?, next()?);
        if encoding != "bin" || levels.next().is_some() {
            return Err(TopicError::Form);
        }
        let bad = |level| move |error| TopicError::Name { level, error };
        let is_named = |known: &Channel| known.as_str() == channel;
        Ok(Self {
            prefix: Prefix::try_from(prefix).map_err(bad("prefix"))?,
            site: SiteId::try_from(site).map_err(bad("site"))?,
            board: BoardId::try_from(board).map_err(bad("board"))?,
            channel: Channel::ALL.into_iter().find(is_named).ok_or(TopicError::Channel)?,
        })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// Filter for one channel of all boards, of one site or of every site.
#[must_use]
pub fn filter(prefix: &Prefix, site: Option<&SiteId>, channel: Channel) -> TopicText {
    join(prefix, site.map_or("+", SiteId::as_str), "+", channel)
}

fn join(prefix: &Prefix, site: &str, board: &str, channel: Channel) -> TopicText {
    let mut text = TopicText::new();
    // Cannot fail: the levels are bounded, and `MAX_TOPIC_LEN` is their sum.
    let _ = write!(text, "{}/{site}/{board}/{}/bin", prefix.as_str(), channel.as_str());
    text
}
