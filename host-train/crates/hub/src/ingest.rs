//! From an MQTT message to something the hub may act on. Total: every input is either understood or refused by name.

use alarm_proto::topics::{Channel, Prefix, Topic, TopicError};
use alarm_proto::{Alarm, DecodeError, Fault, Gap, Heartbeat, Message, RecordId, SiteId};

/// One publish as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// MQTT topic, as bytes: a hostile client need not send UTF-8.
    pub topic: Vec<u8>,
    /// MQTT payload.
    pub payload: Vec<u8>,
}

/// A record that must be stored once and acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An alarm or drill.
    Alarm(Alarm),
    /// A counted hole in a board's outbox.
    Gap(Gap),
    /// A camera that cannot be watched, or can again.
    Fault(Fault),
}

impl Record {
    /// The key that makes it unique.
    pub fn id(&self) -> &RecordId {
        match self {
            Self::Alarm(alarm) => &alarm.id,
            Self::Gap(gap) => &gap.id,
            Self::Fault(fault) => &fault.id,
        }
    }
}

/// A record with where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Site named by the topic.
    pub site: SiteId,
    /// What to store.
    pub record: Record,
    /// The frame as it arrived: evidence, and the proof that a repetition is the same record.
    pub frame: Vec<u8>,
    /// Hub's wall clock at arrival, in milliseconds since 1970-01-01 UTC; for people only.
    pub received_unix_ms: i64,
}

/// What a publish turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Store it.
    Record(Received),
    /// Note that the board lives.
    Heartbeat {
        /// Site named by the topic.
        site: SiteId,
        /// What the board said of itself.
        heartbeat: Heartbeat,
    },
}

/// Why a publish was refused. The name is short and fixed, for counters; the text carries the detail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The topic is none of the hub's.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The topic is not text, or belongs to another prefix.
    #[error("the topic is not below this hub's prefix")]
    Prefix,
    /// The frame does not decode.
    #[error(transparent)]
    Frame(#[from] DecodeError),
    /// The record names another board than the topic.
    #[error("the topic names board {topic}, the record names {record}")]
    Board {
        /// Board of the topic.
        topic: String,
        /// Board of the record.
        record: String,
    },
    /// A message that does not belong on this topic, such as an acknowledgement sent by a board.
    #[error("a {found} does not belong on the {topic} topic")]
    Kind {
        /// What was found.
        found: &'static str,
        /// Where it was found.
        topic: &'static str,
    },
    /// A number that no board sends and the store could not keep.
    #[error("{field} is out of range")]
    Range {
        /// The field's name.
        field: &'static str,
    },
    /// A heartbeat that does not advance: repeated, delayed, or of an older boot.
    #[error("the heartbeat does not advance: {0}")]
    StaleHeartbeat(&'static str),
    /// More boards than the hub supervises.
    #[error("more than {0} boards")]
    TooManyBoards(usize),
}

/// Understands one message.
///
/// # Errors
/// [`Refusal`] says what is wrong with it; nothing is stored or acknowledged then.
pub fn understand(message: &RawMessage, prefix: &Prefix, received_unix_ms: i64) -> Result<Input, Refusal> {
    let topic = std::str::from_utf8(&message.topic).map_err(|_| Refusal::Prefix)?;
    let Topic { prefix: found, site, board, channel } = Topic::parse(topic)?;
    if found != *prefix {
        return Err(Refusal::Prefix);
    }
    let decoded = alarm_proto::decode(&message.payload)?;
    let (found, id) = match &decoded {
        Message::Alarm(alarm) => ("alarm", &alarm.id.board),
        Message::Gap(gap) => ("gap", &gap.id.board),
        Message::Fault(fault) => ("fault", &fault.id.board),
        Message::Heartbeat(heartbeat) => ("heartbeat", &heartbeat.board),
        Message::Ack(ack) => ("ack", &ack.board),
    };
    if id.as_str() != board.as_str() {
        return Err(Refusal::Board { topic: board.as_str().to_owned(), record: id.as_str().to_owned() });
    }
    match (channel, decoded) {
        (Channel::Alarm, Message::Alarm(alarm)) => {
            check_alarm(&alarm)?;
            Ok(record(site, Record::Alarm(alarm), message, received_unix_ms))
        }
        (Channel::Alarm, Message::Gap(gap)) => {
            check_gap(&gap)?;
            Ok(record(site, Record::Gap(gap), message, received_unix_ms))
        }
        (Channel::Alarm, Message::Fault(fault)) => {
            check_fault(&fault)?;
            Ok(record(site, Record::Fault(fault), message, received_unix_ms))
        }
        (Channel::Heartbeat, Message::Heartbeat(heartbeat)) => Ok(Input::Heartbeat { site, heartbeat }),
        (channel, _) => Err(Refusal::Kind { found, topic: channel.as_str() }),
    }
}

fn record(site: SiteId, record: Record, message: &RawMessage, received_unix_ms: i64) -> Input {
    Input::Record(Received { site, record, frame: message.payload.clone(), received_unix_ms })
}

/// SQLite keeps signed 64-bit integers and turns NaN into NULL: both are settled here, before any transaction.
fn check_alarm(alarm: &Alarm) -> Result<(), Refusal> {
    check_integers(&[
        ("seq", alarm.id.seq),
        ("wall_clock_ms", alarm.wall_clock_ms.unwrap_or(0)),
        ("uptime_ms", alarm.uptime_ms),
        ("onset_media_ms", alarm.onset_media_ms),
        ("media_ms", alarm.media_ms),
    ])?;
    for (field, value) in [("score", alarm.score), ("peak", alarm.peak), ("threshold", alarm.threshold)] {
        if !value.is_finite() {
            return Err(Refusal::Range { field });
        }
    }
    Ok(())
}

fn check_gap(gap: &Gap) -> Result<(), Refusal> {
    check_integers(&[
        ("seq", gap.id.seq),
        ("first_seq", gap.first_seq),
        ("last_seq", gap.last_seq),
        ("dropped", gap.dropped),
    ])
}

fn check_fault(fault: &Fault) -> Result<(), Refusal> {
    check_integers(&[
        ("seq", fault.id.seq),
        ("wall_clock_ms", fault.wall_clock_ms.unwrap_or(0)),
        ("uptime_ms", fault.uptime_ms),
    ])
}

fn check_integers(fields: &[(&'static str, u64)]) -> Result<(), Refusal> {
    match fields.iter().find(|(_, value)| i64::try_from(*value).is_err()) {
        Some((field, _)) => Err(Refusal::Range { field }),
        None => Ok(()),
    }
}
