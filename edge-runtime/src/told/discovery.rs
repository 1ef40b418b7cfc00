//! Home Assistant's discovery: one message says which entities a board has.
//!
//! The form is the device-based one of Home Assistant 2024.12 and later. All entities read the retained state.

use alarm_proto::{BoardId, CameraId, SiteId};
use serde_json::{Map, Value, json};

/// Topics that the entities use.
#[derive(Debug, Clone, Copy)]
pub struct DiscoveryTopics<'a> {
    /// `online` or `offline`.
    pub available: &'a str,
    /// The state.
    pub state: &'a str,
    /// Commands, if whoever the broker lets publish may give them.
    pub command: Option<CommandTopics<'a>>,
}

/// Topics of commands.
#[derive(Debug, Clone, Copy)]
pub struct CommandTopics<'a> {
    /// Commands go here.
    pub command: &'a str,
    /// Pictures that were asked for come here, a level with the camera's name further down.
    pub snapshot: &'a str,
}

/// Topic and payload of the discovery message; `prefix` is Home Assistant's.
#[must_use]
pub fn discovery(
    prefix: &str,
    (site, board): (&SiteId, &BoardId),
    cameras: &[CameraId],
    topics: DiscoveryTopics<'_>,
) -> (String, Value) {
    let object_id = format!("watchpost_{site}_{board}");
    let mut components = Map::new();
    let mut add = |name: &str, mut component: Value| {
        let id = format!("{object_id}_{name}");
        component["unique_id"] = json!(id);
        components.insert(id, component);
    };
    for camera in cameras {
        let here = format!("value_json.cameras['{camera}']");
        add(
            &format!("{camera}_event"),
            json!({
                "platform": "binary_sensor",
                "name": format!("{camera} event"),
                "device_class": "motion",
                "value_template": format!("{{{{ 'ON' if {here}.event else 'OFF' }}}}"),
            }),
        );
        add(
            &format!("{camera}_problem"),
            json!({
                "platform": "binary_sensor",
                "name": format!("{camera} problem"),
                "device_class": "problem",
                "value_template": format!(
                    "{{{{ 'ON' if {here}.state in ['fault', 'failed'] or {here}.picture_fault else 'OFF' }}}}"
                ),
            }),
        );
        add(
            &format!("{camera}_score"),
            json!({
                "platform": "sensor",
                "name": format!("{camera} score"),
                "state_class": "measurement",
                "suggested_display_precision": 2,
                "value_template": format!("{{{{ {here}.score }}}}"),
            }),
        );
        if let Some(CommandTopics { command, snapshot }) = topics.command {
            add(
                &format!("{camera}_armed"),
                json!({
                    "platform": "switch",
                    "name": format!("{camera} armed"),
                    "command_topic": command,
                    "payload_on": json!({ "command": "arm", "camera": camera.as_str() }).to_string(),
                    "payload_off": json!({ "command": "disarm", "camera": camera.as_str() }).to_string(),
                    "state_on": "ON",
                    "state_off": "OFF",
                    "value_template": format!(
                        "{{{{ 'OFF' if 'command' in {here}.disarmed_by else 'ON' }}}}"
                    ),
                }),
            );
            add(
                &format!("{camera}_take_picture"),
                json!({
                    "platform": "button",
                    "name": format!("{camera} take picture"),
                    "command_topic": command,
                    "payload_press": json!({ "command": "snapshot", "camera": camera.as_str() }).to_string(),
                }),
            );
            add(
                &format!("{camera}_picture"),
                json!({
                    "platform": "image",
                    "name": format!("{camera} picture"),
                    "image_topic": format!("{snapshot}/{camera}"),
                    "content_type": "image/jpeg",
                }),
            );
        }
    }
    add(
        "problem",
        json!({
            "platform": "binary_sensor",
            "name": "problem",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "value_template": "{{ 'ON' if value_json.degraded else 'OFF' }}",
        }),
    );
    add(
        "outbox_depth",
        json!({
            "platform": "sensor",
            "name": "undelivered records",
            "state_class": "measurement",
            "entity_category": "diagnostic",
            "value_template": "{{ value_json.outbox_depth }}",
        }),
    );
    add(
        "model",
        json!({
            "platform": "sensor",
            "name": "model",
            "entity_category": "diagnostic",
            "value_template": "{{ value_json.model }}",
        }),
    );
    let payload = json!({
        "device": {
            "identifiers": [object_id],
            "name": format!("Watchpost {board}"),
            "manufacturer": "Watchpost",
            "model": "watchpostd",
            "sw_version": env!("CARGO_PKG_VERSION"),
            "suggested_area": site.as_str(),
        },
        "origin": { "name": "watchpostd", "sw_version": env!("CARGO_PKG_VERSION") },
        "availability_topic": topics.available,
        "state_topic": topics.state,
        "qos": 1,
        "components": components,
    });
    (format!("{prefix}/device/{object_id}/config"), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(command: Option<CommandTopics<'_>>) -> (String, Value) {
        let cameras = ["north", "south-2"].map(|name| CameraId::try_from(name).unwrap());
        let (site, board) = (SiteId::try_from("yard").unwrap(), BoardId::try_from("gate-2").unwrap());
        let topics =
            DiscoveryTopics { available: "w/yard/gate-2/available", state: "w/yard/gate-2/state", command };
        discovery("homeassistant", (&site, &board), &cameras, topics)
    }

    #[test]
    fn one_message_names_every_entity_once() {
        let (topic, payload) = made(None);
        assert_eq!(topic, "homeassistant/device/watchpost_yard_gate-2/config");
        let components = payload["components"].as_object().unwrap();
        assert_eq!(components.len(), 2 * 3 + 3);
        for (id, component) in components {
            assert_eq!(component["unique_id"], json!(id));
            assert!(component["platform"].is_string() && component["value_template"].is_string(), "{id}");
            let template = component["value_template"].as_str().unwrap();
            assert!(template.starts_with("{{ ") && template.ends_with(" }}"), "{template}");
        }
        let event = &components["watchpost_yard_gate-2_south-2_event"];
        assert_eq!(
            event["value_template"],
            json!("{{ 'ON' if value_json.cameras['south-2'].event else 'OFF' }}")
        );
    }

    #[test]
    fn a_switch_is_there_where_commands_are() {
        let (_, payload) = made(Some(CommandTopics {
            command: "w/yard/gate-2/command",
            snapshot: "w/yard/gate-2/snapshot",
        }));
        let switch = &payload["components"]["watchpost_yard_gate-2_north_armed"];
        assert_eq!(switch["command_topic"], json!("w/yard/gate-2/command"));
        let off: Value = serde_json::from_str(switch["payload_off"].as_str().unwrap()).unwrap();
        assert_eq!(off, json!({ "command": "disarm", "camera": "north" }));
        let components = &payload["components"];
        let press =
            components["watchpost_yard_gate-2_south-2_take_picture"]["payload_press"].as_str().unwrap();
        let press: Value = serde_json::from_str(press).unwrap();
        assert_eq!(press, json!({ "command": "snapshot", "camera": "south-2" }));
        let image = &components["watchpost_yard_gate-2_south-2_picture"];
        assert_eq!(image["image_topic"], json!("w/yard/gate-2/snapshot/south-2"));
    }
}
