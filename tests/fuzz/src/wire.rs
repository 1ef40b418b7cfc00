//! What comes over the network.

use alarm_proto::topics::Topic;
use alarm_proto::{MAX_FRAME_LEN, decode, encode};

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
