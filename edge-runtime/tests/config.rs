//! Every wrong configuration is refused with the file, the line, the key and what to write instead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use proptest::prelude::*;
use watchpostd::capture::Setting;
use watchpostd::config::{
    Bias, ChipAddress, Config, ConfigError, Drive, InputDoes, LineId, MetricsAccess, OutputConfig,
    OutputMode, Pace, Problem, SafeState, Source, Transport,
};
use watchpostd::picture::PictureFault;

const GOOD: &str = r#"
[board]
id = "gate-1"
site = "yard"

[model]
bundle = "bundle"

[network]
broker = "mqtt://hub.local"

[score]
raise_threshold = 0.6

[[camera]]
id = "north"
source = { kind = "v4l", device = "/dev/video2", frame_rate_hz = 12.5 }
score.raise_threshold = 0.7

[[camera]]
id = "south"
source = { kind = "file", path = "south.mp4", loop = true, pace = "fast" }
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/watchpost/board.toml"))
}

fn problems(text: &str) -> Vec<Problem> {
    parse(text).expect_err("must be refused").problems().to_vec()
}

fn only_problem(text: &str) -> Problem {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn a_good_file_is_read_with_its_defaults() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.board.as_str(), "gate-1");
    assert_eq!(config.bundle, Path::new("/etc/watchpost/bundle"), "relative paths start at the file");
    assert_eq!(config.pulse, None);
    assert_eq!(config.outbox.path, Path::new("/etc/watchpost/outbox.db"));
    assert_eq!(config.outbox.max_bytes, 320 << 20);
    let network = config.network.unwrap();
    assert_eq!(
        (network.host.as_str(), network.port, network.prefix.as_str()),
        ("hub.local", 1883, "watchpost")
    );
    assert_eq!(network.heartbeat_interval_ms, 5_000);
    assert_eq!(config.cameras[0].score.raise_threshold, Some(0.7));
    let Source::Video { path, repeat, pace, .. } = &config.cameras[1].source else { panic!("a file") };
    assert_eq!((path.as_path(), *repeat, *pace), (Path::new("/etc/watchpost/south.mp4"), true, Pace::Fast));
}

#[test]
fn home_assistant_is_told_where_it_is_asked_for() {
    assert_eq!(parse(GOOD).unwrap().network.unwrap().home_assistant, None);
    let with = |keys: &str| GOOD.replace("[score]", &format!("[network.home_assistant]\n{keys}\n[score]"));
    let told = |keys: &str| parse(&with(keys)).unwrap().network.unwrap().home_assistant;
    assert_eq!(told("").as_deref(), Some("homeassistant"));
    assert_eq!(told("discovery_prefix = \"ha\"").as_deref(), Some("ha"));
    let problem = only_problem(&with("discovery_prefix = \"a/#\""));
    assert_eq!(problem.key, "network.home_assistant.discovery_prefix");
}

#[test]
fn commands_need_somebody_to_trust() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("good.key"), "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::write(at("short.key"), "0123456789abcdef0123456789abcde\n").unwrap();
    let file = at("board.toml");
    let with = |broker: &str, keys: &str| {
        let text = GOOD
            .replace("mqtt://hub.local", broker)
            .replace("[score]", &format!("[network.commands]\n{keys}\n[score]"));
        Config::parse(&text, &file)
    };
    assert!(parse(GOOD).unwrap().network.unwrap().commands.is_none());
    let commands =
        with("mqtt://hub.local", "key_file = \"good.key\"").unwrap().network.unwrap().commands.unwrap();
    assert_eq!(commands.counter_file, at("command-counter"));
    assert!(!format!("{commands:?}").contains("01234"), "no secret in Debug");
    for broker in ["mqtt://localhost", "mqtt://127.0.0.1", "mqtt://[::1]:1884"] {
        assert!(with(broker, "trust = \"broker\"").is_ok(), "{broker}");
    }
    let cases = [
        ("trust = \"broker\"", "network.commands.trust", "certificate_file"),
        ("", "network.commands", "needs either"),
        ("trust = \"broker\"\nkey_file = \"good.key\"", "network.commands", "needs either"),
        ("key_file = \"short.key\"", "network.commands.key_file", "openssl rand"),
        ("key_file = \"none.key\"", "network.commands.key_file", "cannot be read"),
        ("trust = \"all\"", "network.commands.trust", "unknown value `all`"),
    ];
    for (keys, key, says) in cases {
        let error = with("mqtt://hub.local", keys).expect_err("must be refused");
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(problem.key, key, "{problem}");
        assert!(problem.message.contains(says), "{problem}");
    }
}

#[test]
fn a_page_needs_a_token_and_both_files_of_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("token"), "0123456789abcdef\n").unwrap();
    std::fs::write(at("short"), "0123456789abcde\n").unwrap();
    let with = |keys: &str| {
        Config::parse(&GOOD.replace("[score]", &format!("[page]\n{keys}\n[score]")), &at("board.toml"))
    };
    assert!(parse(GOOD).unwrap().page.is_none(), "it listens nowhere unless it is asked to");
    let page = with("token_file = \"token\"").unwrap().page.unwrap();
    assert_eq!((page.listen.to_string().as_str(), page.commands), ("127.0.0.1:8080", false));
    assert_eq!((page.metrics, page.tls.is_none()), (MetricsAccess::Token, true));
    assert!(!format!("{page:?}").contains("0123"), "no secret in Debug");
    let cases = [
        ("", "page", "token_file"),
        ("token_file = \"short\"", "page.token_file", "openssl rand"),
        ("token_file = \"none\"", "page.token_file", "cannot be read"),
        ("token_file = \"token\"\nlisten = \"8080\"", "page.listen", "127.0.0.1:8080"),
        ("token_file = \"token\"\nmetrics = \"all\"", "page.metrics", "unknown value `all`"),
        ("token_file = \"token\"\ncertificate_file = \"c\"", "page.certificate_file", "`key_file` beside it"),
        ("token_file = \"token\"\nkey_file = \"k\"", "page.key_file", "`certificate_file` beside it"),
        (
            "token_file = \"token\"\ncertificate_file = \"token\"\nkey_file = \"token\"",
            "page.certificate_file",
            "holds no certificate",
        ),
    ];
    for (keys, key, remedy) in cases {
        let problems = with(keys).unwrap_err().to_string();
        assert!(problems.contains(key) && problems.contains(remedy), "{keys}: {problems}");
    }
}

#[test]
fn the_network_may_be_left_out() {
    let text = GOOD.replace("[network]\nbroker = \"mqtt://hub.local\"\n", "");
    assert!(parse(&text).unwrap().network.is_none());
}

const LOCAL: &str = r#"
[board]
id = "gate-1"
site = "yard"

[model]
bundle = "bundle"

[[output]]
name = "siren"
kind = "gpio"
chip = "/dev/gpiochip0"
line = 17
active_low = true

[[output]]
name = "lamp"
kind = "sysfs"
path = "lamp/brightness"
mode = "latch"

[[output]]
name = "doors"
kind = "gpio"
chip = "pinctrl-bcm2711"
line = "GPIO22"
mode = "pulse"
pulse_ms = 5000
safe_state = "on"

[[output]]
name = "diary"
kind = "log"

[[input]]
chip = "gpiochip0"
line = 4
active_low = true
bias = "pull-up"
does = "acknowledge"

[[input]]
chip = "gpiochip0"
line = 5
does = "arm"
debounce_ms = 200
"#;

#[test]
fn outputs_and_inputs_are_read_with_their_defaults() {
    assert_eq!(parse(GOOD).unwrap().outputs, [OutputConfig::default()], "a line in the log");
    assert!(parse(GOOD).unwrap().inputs.is_empty());
    let Config { outputs, inputs, .. } = parse(LOCAL).unwrap();
    let Drive::Gpio { line, active_low } = &outputs[0].drive else { panic!("a line") };
    assert_eq!(line.chip, ChipAddress::Path("/dev/gpiochip0".into()));
    assert_eq!((&line.line, *active_low), (&LineId::Offset(17), true));
    assert_eq!((outputs[0].mode, outputs[0].safe_state), (OutputMode::Follow, SafeState::Off));
    let path = "/etc/watchpost/lamp/brightness".into();
    assert_eq!(outputs[1].drive, Drive::Sysfs { path, active_low: false });
    assert_eq!(outputs[1].mode, OutputMode::Latch);
    let Drive::Gpio { line, .. } = &outputs[2].drive else { panic!("a line") };
    assert_eq!(line.to_string(), "line `GPIO22` of pinctrl-bcm2711");
    assert_eq!(outputs[2].mode, OutputMode::Pulse { length_ms: 5_000 });
    assert_eq!((outputs[2].safe_state, &outputs[3].drive), (SafeState::On, &Drive::Log));
    assert_eq!(
        (inputs[0].does, inputs[0].bias, inputs[0].debounce_ms),
        (InputDoes::Acknowledge, Bias::PullUp, 50)
    );
    assert_eq!((inputs[1].does, inputs[1].active_low, inputs[1].debounce_ms), (InputDoes::Arm, false, 200));
}

#[test]
fn wrong_outputs_and_inputs_name_the_key_and_the_remedy() {
    let cases = [
        ("name = \"siren\"", "name = \"Siren!\"", "output[0].name", "a-z"),
        ("name = \"lamp\"", "name = \"siren\"", "output[1].name", "two outputs"),
        ("line = 17", "line = -1", "output[0].line", "0 to 65535"),
        ("line = 17", "line = 65536", "output[0].line", "0 to 65535"),
        ("line = 17", "line = \"\"", "output[0].line", "is empty"),
        ("chip = \"/dev/gpiochip0\"", "chip = \"\"", "output[0].chip", "is empty"),
        ("line = 17\n", "", "output[0].kind", "needs `chip` and `line`"),
        ("path = \"lamp/brightness\"\n", "", "output[1].kind", "needs `path`"),
        ("mode = \"latch\"", "line = 3", "output[1].line", "needs kind = \"gpio\""),
        ("line = 17", "line = 17\npath = \"x\"", "output[0].path", "needs kind = \"sysfs\""),
        ("kind = \"log\"", "kind = \"log\"\nactive_low = true", "output[3].active_low", "needs kind"),
        ("kind = \"log\"", "kind = \"log\"\nsafe_state = \"on\"", "output[3].safe_state", "needs kind"),
        ("pulse_ms = 5000", "pulse_ms = 9", "output[2].pulse_ms", "10 to 600000"),
        ("pulse_ms = 5000\n", "", "output[2].mode", "needs `pulse_ms`"),
        ("mode = \"latch\"", "mode = \"latch\"\npulse_ms = 50", "output[1].pulse_ms", "mode = \"pulse\""),
        ("mode = \"latch\"", "mode = \"lach\"", "output[1].mode", "unknown value `lach`"),
        ("debounce_ms = 200", "debounce_ms = 1001", "input[1].debounce_ms", "0 to 1000"),
        ("does = \"acknowledge\"", "does = \"arm\"", "input[1].does", "only one"),
        ("line = 5", "line = 4", "input[1].line", "another input"),
        ("line = 5", "line = 17", "input[1].line", "another output"),
        ("line = 5", "line = 5.5", "input[1].line", "the number of a line"),
        ("[[input]]\nchip = \"gpiochip0\"\nline = 4", "[[input]]\nline = 4", "input", "missing field `chip`"),
    ];
    for (right, wrong, key, says) in cases {
        let problem = only_problem(&LOCAL.replacen(right, wrong, 1));
        assert_eq!(problem.key, key, "{problem}");
        assert!(problem.message.contains(says), "{problem}");
        assert!(problem.line.is_some(), "{problem}");
    }
}

#[test]
fn one_line_has_one_user_and_a_board_has_eight_outputs() {
    let twice = LOCAL.replace("kind = \"log\"", "kind = \"gpio\"\nchip = \"gpiochip0\"\nline = 17");
    let problem = only_problem(&twice);
    assert_eq!(
        (problem.key.as_str(), problem.message.contains("the same line")),
        ("output[3]", true),
        "{problem}"
    );
    let outputs = |count: usize| {
        let section = |n: usize| format!("[[output]]\nname = \"o{n}\"\nkind = \"log\"\n");
        format!("{GOOD}{}", (0..count).map(section).collect::<String>())
    };
    assert_eq!(parse(&outputs(8)).unwrap().outputs.len(), 8);
    assert!(only_problem(&outputs(9)).message.contains("more than the 8"));
}

#[test]
fn settings_of_a_camera_go_by_the_names_that_its_driver_shows() {
    let with = |controls: &str| {
        GOOD.replace("frame_rate_hz = 12.5", &format!("frame_rate_hz = 12.5, controls = {controls}"))
    };
    let config = parse(&with("{ brightness = 140, auto_exposure = 1 }")).unwrap();
    let Source::V4l { settings, .. } = &config.cameras[0].source else { panic!("{config:?}") };
    let expected =
        [("auto_exposure", 1), ("brightness", 140)].map(|(name, value)| Setting::new(name, value).unwrap());
    assert_eq!(*settings, expected);
    let problem = only_problem(&with("{ brihtness = 140 }"));
    assert_eq!(problem.key, "camera[0].source.controls.brihtness");
    assert!(problem.message.contains("there are white_balance_automatic, "), "{problem}");
}

#[test]
fn a_misspelt_key_names_its_line_its_path_and_the_right_one() {
    let cases = [
        ("[board]", "[bord]", "bord", "board"),
        ("site =", "siet =", "board.siet", "site"),
        ("broker =", "brokr =", "network.brokr", "broker"),
        ("[score]\nraise_threshold", "[score]\nraise_treshold", "score.raise_treshold", "raise_threshold"),
        ("[[camera]]\nid = \"south\"", "[[camera]]\nidd = \"south\"", "camera[1].idd", "id"),
        ("device =", "devise =", "camera[0].source.devise", "device"),
        ("loop =", "lop =", "camera[1].source.lop", "loop"),
    ];
    for (right, wrong, key, suggestion) in cases {
        let text = GOOD.replace(right, wrong);
        let problem = only_problem(&text);
        assert_eq!(problem.key, key);
        assert_eq!(problem.suggestion.as_deref(), Some(suggestion), "{problem}");
        let misspelt = wrong.lines().last().unwrap();
        let line = text.lines().position(|l| l.contains(misspelt)).unwrap() + 1;
        assert_eq!(problem.line, Some(line), "{problem}");
    }
}

#[test]
fn the_message_is_one_that_an_editor_can_jump_to() {
    let message = parse(&GOOD.replace("site =", "siet =")).unwrap_err().to_string();
    let expected = "/etc/watchpost/board.toml:4: `board.siet`: unknown key; allowed here: id, site, hardware, time_zone, armed\n  did you mean `site`?";
    assert_eq!(message, expected);
}

#[test]
fn a_misspelt_value_is_answered_too() {
    let problem = only_problem(&GOOD.replace("kind = \"v4l\"", "kind = \"v4l2\""));
    assert_eq!((problem.key.as_str(), problem.suggestion.as_deref()), ("camera[0].source.kind", Some("v4l")));
}

#[test]
fn a_key_that_resembles_nothing_gets_no_guess() {
    let problem = only_problem(&GOOD.replace("site =", "zzzz = 1\nsite ="));
    assert_eq!(problem.suggestion, None);
}

#[test]
fn values_out_of_range_name_the_key_and_the_range() {
    let cases = [
        ("raise_threshold = 0.6", "raise_threshold = 1.5", "score.raise_threshold", "0 to 1"),
        ("raise_threshold = 0.6", "raise_threshold = nan", "score.raise_threshold", "0 to 1"),
        ("frame_rate_hz = 12.5", "frame_rate_hz = 0.0", "camera[0].source.frame_rate_hz", "0.1 to 240"),
        ("id = \"south\"", "id = \"South gate\"", "camera[1].id", "a-z"),
        ("id = \"south\"", "id = \"north\"", "camera[1].id", "two cameras"),
        ("mqtt://hub.local", "mqtt://", "network.broker", "mqtt://HOST"),
        ("mqtt://hub.local", "mqtts://hub.local", "network.broker", "needs `ca_file`"),
        ("hub.local\"", "hub.local\"\nca_file = \"ca.crt\"", "network.ca_file", "needs broker = \"mqtts"),
        ("hub.local\"", "hub.local\"\nkey_file = \"a.key\"", "network.key_file", "needs broker = \"mqtts"),
        ("mqtt://hub.local", "mqtt://hub.local:99999", "network.broker", "mqtt://HOST:PORT"),
        ("[score]", "[outbox]\nmax_bytes = 100\n[score]", "outbox.max_bytes", "65536 to 4294967296"),
        ("bundle = \"bundle\"", "bundle = \"bundle\"\npulse = 5", "model.pulse", "1 to 4"),
        ("bundle = \"bundle\"", "bundle = \"bundle\"\npulse = 0", "model.pulse", "1 to 4"),
        ("device =", "path = \"x\", device =", "camera[0].source.path", "needs kind"),
    ];
    for (right, wrong, key, says) in cases {
        let problem = only_problem(&GOOD.replacen(right, wrong, 1));
        assert_eq!(problem.key, key);
        assert!(problem.message.contains(says), "{problem}");
        assert!(problem.line.is_some(), "{problem}");
    }
}

#[test]
fn masks_and_zones_belong_to_their_camera() {
    let text = format!(
        "{GOOD}\n[[camera.mask]]\nname = \"window\"\npoints = [[0, 0], [0.5, 0.0], [0.5, 1]]\n\
         [[camera.zone]]\nname = \"window\"\npoints = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]\n"
    );
    let config = parse(&text).unwrap();
    assert!(config.cameras[0].view.is_open());
    let view = &config.cameras[1].view;
    assert_eq!((view.masks[0].name.as_str(), view.zones[0].name.as_str()), ("window", "window"));
    // The zone has 36 of 100 pixels, the mask takes 14 of them away.
    assert!((view.hidden_share((10, 10)) - 0.78).abs() < 1e-9, "{}", view.hidden_share((10, 10)));
}

#[test]
fn wrong_areas_name_the_place_and_the_remedy() {
    let area = |kind: &str, name: &str, points: &str| {
        format!("[[camera.{kind}]]\nname = \"{name}\"\npoints = {points}\n")
    };
    let good = area("mask", "a", "[[0, 0], [1, 0], [1, 1]]");
    let cases = [
        (area("mask", "b", "[[0, 0], [1, 0]]"), "camera[1].mask[1].points", "2 points; give 3 to 64"),
        (
            area("zone", "b", "[[0, 0], [1, 0], [1.5, 1]]"),
            "camera[1].zone[0].points[2]",
            "[1.5, 1] is outside",
        ),
        (area("mask", "b", "[[0, 0], [0.5, 0.5], [1, 1]]"), "camera[1].mask[1].points", "move one of them"),
        (area("mask", "a", "[[0, 0], [1, 0], [1, 1]]"), "camera[1].mask[1].name", "another name"),
        (area("mask", "B 1", "[[0, 0], [1, 0], [1, 1]]"), "camera[1].mask[1].name", "a-z"),
        (area("mask", "b", "[[0, 0, 0], [1, 0], [1, 1]]"), "camera[1].mask[1].points[0]", "two numbers"),
        (area("mask", "b", "[]").replace("points", "point"), "camera[1].mask[1].point", "unknown key"),
    ];
    for (wrong, key, says) in cases {
        let problem = only_problem(&format!("{GOOD}\n{good}{wrong}"));
        assert_eq!(problem.key, key, "{problem}");
        assert!(problem.message.contains(says), "{problem}");
        assert!(problem.line.is_some(), "{problem}");
    }
    let two = area("mask", "b", "[[0, 0], [2, 0], [1, -1]]");
    assert_eq!(problems(&format!("{GOOD}\n{good}{two}")).len(), 2, "all wrong points are told at once");
}

/// 2026-11-20 is a Friday; 18:30 in Berlin.
const FRIDAY_EVENING_MS: u64 = 1_795_195_800_000;
const HOUR_MS: u64 = 3_600_000;

#[test]
fn cameras_follow_their_schedule_or_the_boards() {
    let text = GOOD
        .replace("site =", "time_zone = \"Europe/Berlin\"\narmed = \"nights\"\nsite =")
        .replace("id = \"south\"", "id = \"south\"\narmed = \"never\"\ntolerate = [\"dark\", \"frozen\"]");
    let schedule = "[[schedule]]\nname = \"nights\"\ndays = [\"fri\"]\nfrom = \"18:00\"\nuntil = \"06:30\"\n";
    let config = parse(&format!("{text}{schedule}")).unwrap();
    let armed = |hours: u64| {
        config
            .cameras
            .iter()
            .map(|c| c.arming.is_armed(Some(FRIDAY_EVENING_MS + hours * HOUR_MS)))
            .collect::<Vec<_>>()
    };
    assert_eq!(armed(0), [true, false]);
    assert_eq!(armed(11), [true, false]);
    assert_eq!(armed(12), [false, false]);
    assert_eq!(config.cameras[1].tolerated, [PictureFault::Dark, PictureFault::Frozen]);
    assert!(
        parse(GOOD).unwrap().cameras[0].arming.is_armed(Some(FRIDAY_EVENING_MS)),
        "always, unless told otherwise"
    );
}

#[test]
fn wrong_schedules_name_the_place_and_the_remedy() {
    let good = "[[schedule]]\nname = \"nights\"\nfrom = \"18:00\"\nuntil = \"06:30\"\n";
    let cases = [
        ("name = \"nights\"", "name = \"always\"", "schedule[0].name", "has a meaning already"),
        ("name = \"nights\"", "name = \"All nights\"", "schedule[0].name", "a-z"),
        ("from = \"18:00\"", "from = \"6 pm\"", "schedule[0].from", "write it as 18:30"),
        ("until = \"06:30\"", "until = \"18:00\"", "schedule[0].until", "24:00"),
        ("from = \"18:00\"", "from = \"18:00\"\ndays = []", "schedule[0].days", "leave it out"),
        ("site =", "time_zone = \"Europe/Berln\"\nsite =", "board.time_zone", "`Europe/Berlin`"),
        ("site =", "armed = \"night\"\nsite =", "board.armed", "`always`, `never`, `nights`"),
        ("id = \"south\"", "id = \"south\"\narmed = \"night\"", "camera[1].armed", "`nights`"),
        ("id = \"south\"", "id = \"south\"\ntolerate = [\"drak\"]", "camera[1].tolerate[0]", "unknown value"),
        (
            "raise_threshold = 0.6",
            "raise_threshold = 0.6\ncritical_threshold = 0.5",
            "score.critical_threshold",
            "0.6 to 1",
        ),
    ];
    for (right, wrong, key, says) in cases {
        let problem = only_problem(&format!("{GOOD}{good}").replacen(right, wrong, 1));
        assert_eq!(problem.key, key, "{problem}");
        assert!(problem.message.contains(says), "{problem}");
        assert!(problem.line.is_some(), "{problem}");
    }
    let day = only_problem(&format!("{GOOD}{good}days = [\"monday\"]\n"));
    assert_eq!(day.suggestion.as_deref(), Some("mon"), "{day}");
}

#[test]
fn all_wrong_values_are_told_at_once() {
    let text =
        GOOD.replace("raise_threshold = 0.6", "raise_threshold = 2.0").replace("\"yard\"", "\"Yard!\"");
    assert_eq!(problems(&text).len(), 2);
}

#[test]
fn missing_keys_wrong_types_and_broken_toml_say_where() {
    let missing = only_problem(&GOOD.replace("site = \"yard\"\n", ""));
    assert!(missing.message.contains("missing field `site`"), "{missing}");
    let wrong_type = only_problem(&GOOD.replace("raise_threshold = 0.6", "raise_threshold = \"high\""));
    assert_eq!((wrong_type.key.as_str(), wrong_type.line), ("score.raise_threshold", Some(13)));
    let broken = only_problem("[board\nid = 1");
    assert_eq!(broken.line, Some(1));
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/nonexistent/board.toml")).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/board.toml: cannot read"), "{error}");
}

#[test]
fn a_password_never_shows_in_debug_output() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
    let text = GOOD.replace("[score]", "username = \"u\"\npassword_file = \"secret\"\n[score]");
    let config = Config::parse(&text, &folder.path().join("board.toml")).unwrap();
    assert_eq!(config.network.as_ref().unwrap().credentials.as_ref().unwrap().password, "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
}

const NETWORK_CAMERA: &str = r#"kind = "rtsp", url = "rtsp://camera.local/stream1""#;

/// The good file with a network camera in the place of the first.
fn with_network_camera(more: &str) -> String {
    let (from, to) = ("kind = \"v4l\", device = \"/dev/video2\", frame_rate_hz = 12.5", NETWORK_CAMERA);
    GOOD.replacen(from, &format!("{to}{more}"), 1)
}

#[test]
fn a_network_camera_is_read_and_its_password_never_shows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
    let more =
        ", username = \"viewer\", password_file = \"secret\", transport = \"udp\", frame_rate_hz = 5.0";
    for (more, user, transport, rate_hz) in
        [("", None, Transport::Tcp, 10.0), (more, Some("hunter2"), Transport::Udp, 5.0)]
    {
        let config = Config::parse(&with_network_camera(more), &folder.path().join("board.toml")).unwrap();
        let Source::Rtsp(source) = &config.cameras[0].source else { panic!("{config:?}") };
        assert_eq!(source.url.to_string(), "rtsp://camera.local/stream1");
        assert_eq!(source.credentials.as_ref().map(|c| c.password.as_str()), user);
        assert_eq!((source.transport, source.frame_rate_hz), (transport, rate_hz));
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}

#[test]
fn a_wrong_network_camera_is_told_the_remedy_and_no_password() {
    let wrong_urls = [
        ("rtsp://admin:hunter2@camera.local/stream1", "`password_file`"),
        ("rtsp://hunter2@camera.local/stream1", "`password_file`"),
        ("rtsps://camera.local/hunter2", "not built in"),
        ("http://camera.local/hunter2", "rtsp://HOST"),
        ("camera.local/hunter2", "rtsp://HOST"),
        ("rtsp://camera.local:99999/hunter2", "rtsp://HOST"),
        ("rtsp:///hunter2", "rtsp://HOST"),
        ("", "rtsp://HOST"),
    ];
    for (url, says) in wrong_urls {
        let text = with_network_camera("").replace("rtsp://camera.local/stream1", url);
        let problem = only_problem(&text);
        assert_eq!(problem.key, "camera[0].source.url");
        assert!(problem.message.contains(says) && !problem.message.contains("hunter2"), "{problem}");
    }
    let wrong_keys = [
        (", username = \"u\"", "username", "`password_file` beside it"),
        (", password_file = \"x\"", "password_file", "`username` beside it"),
        (", username = \"u\", password_file = \"/nonexistent/x\"", "password_file", "cannot read"),
        (", device = \"/dev/video0\"", "device", "needs kind = \"v4l\""),
        (", loop = true", "loop", "needs kind = \"file\""),
        (", frame_rate_hz = 1000.0", "frame_rate_hz", "0.1 to 240"),
    ];
    for (more, key, says) in wrong_keys {
        let problem = only_problem(&with_network_camera(more));
        assert_eq!(problem.key, format!("camera[0].source.{key}"));
        assert!(problem.message.contains(says), "{problem}");
    }
    let foreign = GOOD.replacen("kind = \"v4l\"", "transport = \"tcp\", kind = \"v4l\"", 1);
    assert!(only_problem(&foreign).message.contains("needs kind = \"rtsp\""));
    let strange = with_network_camera("").replace(NETWORK_CAMERA, "kind = \"rtsp\"");
    assert!(only_problem(&strange).message.contains("needs `url`"));
}

#[test]
fn a_pipeline_is_read_and_the_keys_of_other_sources_are_refused() {
    let with = |source: &str| {
        GOOD.replacen("kind = \"v4l\", device = \"/dev/video2\", frame_rate_hz = 12.5", source, 1)
    };
    let gst = "kind = \"gst\", pipeline = \"rtspsrc location='rtsp://u:hunter2@c/' ! decodebin\"";
    let config = parse(&with(gst)).unwrap();
    let Source::Gst(source) = &config.cameras[0].source else { panic!("{config:?}") };
    assert_eq!(source.pipeline.words(), ["rtspsrc", "location=rtsp://u:hunter2@c/", "!", "decodebin"]);
    assert!(!format!("{config:?}").contains("hunter2"));
    for (source, key, says) in [
        ("kind = \"gst\"".to_owned(), "", "needs `pipeline`"),
        ("kind = \"gst\", pipeline = \"a !\"".to_owned(), ".pipeline", "leave that out"),
        (format!("{gst}, device = \"/dev/video0\""), ".device", "needs kind = \"v4l\""),
        (format!("{gst}, url = \"rtsp://c/\""), ".url", "needs kind = \"rtsp\""),
        (format!("{gst}, loop = true"), ".loop", "needs kind = \"file\""),
        (format!("{gst}, frame_rate_hz = 0.0"), ".frame_rate_hz", "0.1 to 240"),
        ("kind = \"v4l\", pipeline = \"a\"".to_owned(), ".pipeline", "needs kind = \"gst\""),
        ("kind = \"file\", path = \"a\", pipeline = \"a\"".to_owned(), ".pipeline", "needs kind = \"gst\""),
    ] {
        let problem = only_problem(&with(&source));
        assert_eq!(problem.key, format!("camera[0].source{key}"));
        assert!(problem.message.contains(says), "{problem}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_damaged_configuration_panics(at in 0..GOOD.len(), with in any::<char>(), cut in 0..GOOD.len()) {
        let mut text: String = GOOD.chars().enumerate().map(|(i, c)| if i == at { with } else { c }).collect();
        let _ = parse(&text);
        text.truncate(text.floor_char_boundary(cut));
        let _ = parse(&text);
    }
}
