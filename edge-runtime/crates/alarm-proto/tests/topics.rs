//! Topics: what is written is read, and nothing else is.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use alarm_proto::topics::{
    Channel, DEFAULT_PREFIX, MAX_TOPIC_LEN, Plain, Prefix, Topic, TopicError, filter, plain,
};
use alarm_proto::{BoardId, NameError, SiteId};
use proptest::prelude::*;

fn topic(prefix: &str, site: &str, board: &str, channel: Channel) -> Topic {
    Topic {
        prefix: Prefix::try_from(prefix).unwrap(),
        site: SiteId::try_from(site).unwrap(),
        board: BoardId::try_from(board).unwrap(),
        channel,
    }
}

/// MQTT's rule for filters with `+` and without `#`.
fn matches(filter: &str, topic: &str) -> bool {
    let (filter, topic): (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
    filter.len() == topic.len() && filter.iter().zip(topic).all(|(f, t)| *f == "+" || *f == t)
}

proptest! {
    #[test]
    fn topics_come_back_as_they_were(
        prefix in "[a-z0-9_-]{1,32}", site in "[a-z0-9_-]{1,32}", board in "[a-z0-9_-]{1,32}",
        channel in prop::sample::select(Channel::ALL.to_vec()),
    ) {
        let topic = topic(&prefix, &site, &board, channel);
        let text = topic.text();
        prop_assert_eq!(text.as_str(), format!("{prefix}/{site}/{board}/{}/bin", channel.as_str()));
        prop_assert_eq!(Topic::parse(&text), Ok(topic.clone()));
        for asked in Channel::ALL {
            let every = filter(&topic.prefix, None, asked);
            let here = filter(&topic.prefix, Some(&topic.site), asked);
            prop_assert_eq!(matches(&every, &text), asked == channel);
            prop_assert_eq!(matches(&here, &text), asked == channel);
        }
    }

    #[test]
    fn other_texts_do_not_panic(text in ".{0,200}") {
        if let Ok(topic) = Topic::parse(&text) {
            prop_assert!(topic.text() == text.as_str());
        }
    }

    #[test]
    fn other_levels_are_refused(levels in prop::collection::vec("[a-z+#]{0,3}", 0..8)) {
        let text = levels.join("/");
        if let Ok(topic) = Topic::parse(&text) {
            prop_assert!(topic.text() == text.as_str());
        }
    }
}

#[test]
fn the_longest_topic_fits_exactly() {
    let name = "n".repeat(32);
    assert_eq!(topic(&name, &name, &name, Channel::Heartbeat).text().len(), MAX_TOPIC_LEN);
}

#[test]
fn plain_topics_are_whole_and_no_frames() {
    let name = "n".repeat(32);
    let long = topic(&name, &name, &name, Channel::Alarm);
    for channel in Plain::ALL {
        let text = plain(&long.prefix, &long.site, &long.board, channel);
        assert_eq!(text.as_str(), format!("{name}/{name}/{name}/{}", channel.as_str()));
        assert!(Topic::parse(&text).is_err(), "{text}");
    }
}

#[test]
fn the_default_prefix_is_a_prefix() {
    assert_eq!(Prefix::default().as_str(), DEFAULT_PREFIX);
    assert_eq!(Prefix::try_from(DEFAULT_PREFIX), Ok(Prefix::default()));
}

#[test]
fn errors_name_the_level() {
    let error = |text| Topic::parse(text).unwrap_err();
    assert_eq!(error("watchpost/yard/gate/alarm"), TopicError::Form);
    assert_eq!(error("watchpost/yard/gate/alarm/json"), TopicError::Form);
    assert_eq!(error("watchpost/yard/gate/alarm/bin/x"), TopicError::Form);
    assert_eq!(error("watchpost/yard/gate/alarms/bin"), TopicError::Channel);
    let bad = TopicError::Name { level: "board", error: NameError::Character { position: 0 } };
    assert_eq!(error("watchpost/yard/+/alarm/bin"), bad);
    assert_eq!(
        bad.to_string(),
        "topic has a bad board: byte 0 of the name is not one of a-z, 0-9, '_' and '-'"
    );
}
