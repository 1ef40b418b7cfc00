//! What comes over the network.

use alarm_proto::topics::{Prefix, Topic};
use alarm_proto::{MAX_FRAME_LEN, decode, encode};
use hub::ingest::{RawMessage, understand};
use hub::url::BrokerUrl;

/// Each message has exactly one encoding.
pub fn alarm_frame(bytes: &[u8]) {
    if let Ok(message) = decode(bytes) {
        let mut buffer = [0; MAX_FRAME_LEN];
        assert_eq!(encode(&message, &mut buffer).unwrap(), bytes, "{message:?}");
    }
}

/// A topic that is read is written the same.
pub fn topic(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(topic) = Topic::parse(text)
    {
        assert_eq!(topic.text().as_str(), text);
    }
}

/// What a hub hears: a topic, a line's end, and what was published there.
pub fn hub_message(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n').map(<[u8]>::to_vec);
    let (topic, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let _ = understand(&RawMessage { topic, payload }, &Prefix::default(), 0);
}

/// An address that is read is written the same way, as far as it matters.
pub fn broker_url(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(url) = text.parse::<BrokerUrl>()
    {
        assert_eq!(url.to_string().parse::<BrokerUrl>().as_ref(), Ok(&url));
    }
}
