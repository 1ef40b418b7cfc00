//! The board's page, as browsers, Prometheus and intruders meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::certificates::Authority;
use common::http::{Answer, request, send};
use common::rtsp::free_port;
use common::running::Board;
use common::{eventually, tiny, write_config};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-32-characters-0123456";
const BEARER: &str = "Authorization: Bearer a-token-of-32-characters-0123456";
const BOARD: &str =
    "[board]\nid = \"gate-1\"\nsite = \"yard\"\n[model]\nbundle = \"bundle\"\n[score]\ncool_down_ms = 0\n";
/// The right half of the picture is hidden.
const CAMERA: &str = "[[camera]]\nid = \"north\"\ntolerate = [\"covered\", \"frozen\", \"dark\", \"moved\"]\n\
    source = { kind = \"file\", path = \"event.mp4\", loop = true }\n\
    mask = [{ name = \"house\", points = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]] }]\n";

/// A board with a page that is served, and more of its configuration; again in the same folder after a restart.
fn board(folder: &Path, page: &str) -> (Board, u16) {
    let port = free_port();
    if !folder.join("bundle").exists() {
        tiny::bundle(&folder.join("bundle"));
        tiny::event_video(&folder.join("event.mp4"), 6, 2, 2);
        std::fs::write(folder.join("token"), format!("{TOKEN}\n")).unwrap();
    }
    let page = format!("[page]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"token\"\n{page}");
    write_config(folder, &format!("{BOARD}{page}{CAMERA}"));
    let daemon = Board::start(folder);
    eventually("the page is there", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    (daemon, port)
}

fn get(port: u16, path: &str) -> Answer {
    request(port, "GET", path, &[BEARER], b"")
}

fn state(port: u16) -> Value {
    get(port, "/api/state").json()
}

fn await_event(port: u16) -> Value {
    let mut found = Value::Null;
    eventually("an event with its evidence", || {
        let events = get(port, "/api/events").json();
        found =
            events.as_array().unwrap().iter().find(|e| e["clip"].is_string()).cloned().unwrap_or_default();
        !found.is_null()
    });
    found
}

#[test]
fn nothing_is_shown_without_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let (_daemon, port) = board(folder.path(), "");
    let guarded = [
        "/api/board",
        "/api/state",
        "/api/events",
        "/api/cameras/north/live.jpg",
        "/api/cameras/north/scores",
        "/api/evidence/north/1-00000000-1.jpg",
        "/metrics",
    ];
    let wrong: [&[&str]; 5] = [
        &[],
        &["Authorization: Bearer a-token-of-32-characters-0123457"],
        &["Authorization: Bearer "],
        &["Authorization: Basic YS10b2tlbi1vZi0zMi1jaGFyYWN0ZXJzLTAxMjM0NTY="],
        &["Cookie: watchpost_yard_gate-1=00000000000000000000000000000000"],
    ];
    for path in guarded {
        for headers in wrong {
            let answer = request(port, "GET", path, headers, b"");
            assert_eq!(answer.status, 401, "{path} {headers:?}");
            assert!(!answer.text().contains("north"), "{}", answer.text());
        }
    }
    assert_eq!(request(port, "POST", "/api/command", &["Content-Type: application/json"], b"{}").status, 401);
    // The page itself says nothing of the board.
    for path in ["/", "/page.js", "/page.css", "/icon.svg"] {
        let answer = request(port, "GET", path, &[], b"");
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text().contains("gate-1"), "{path}");
        assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn a_browser_logs_in_once_and_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_daemon, port) = board(folder.path(), "");
    let log_in = |token: &str| {
        let body = json!({ "token": token }).to_string();
        request(port, "POST", "/api/session", &["Content-Type: application/json"], body.as_bytes())
    };
    assert_eq!(log_in("a-token-of-32-characters-0123457").status, 401);
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let forged = request(port, "POST", "/api/session", &form, format!("token={TOKEN}").as_bytes());
    assert_eq!(forged.status, 415, "another site's form");
    let answer = log_in(TOKEN);
    assert_eq!(answer.status, 204);
    let set = answer.header("set-cookie").unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && !set.contains(TOKEN), "{set}");
    let cookie = format!("Cookie: {}", set.split(';').next().unwrap());
    assert_eq!(request(port, "GET", "/api/state", &[&cookie], b"").status, 200);
    assert_eq!(request(port, "DELETE", "/api/session", &[&cookie], b"").status, 204);
    assert_eq!(request(port, "GET", "/api/state", &[&cookie], b"").status, 401);
}

#[test]
fn pictures_scores_events_and_their_files_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (daemon, port) = board(folder.path(), "[evidence]\npre_roll_ms = 1000\npost_roll_ms = 500\n");
    let shown = get(port, "/api/board").json();
    assert_eq!(
        (&shown["board"], &shown["evidence"], &shown["heat"]),
        (&json!("gate-1"), &json!(true), &json!(false))
    );
    assert_eq!(shown["cameras"][0]["masks"][0]["name"], "house");
    eventually("it is scored", || state(port)["cameras"]["north"]["score"].is_number());
    assert_eq!(state(port)["connected"], Value::Null, "it works alone");

    // Of a bright picture the hidden half is grey.
    eventually("a picture of the event, without what is hidden", || {
        let answer = get(port, "/api/cameras/north/live.jpg");
        if answer.status == 503 {
            // Between two rounds of the file.
            return false;
        }
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/jpeg")));
        let picture = image::load_from_memory(&answer.body).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (tiny::SIDE_PX, tiny::SIDE_PX));
        let hidden = picture.get_pixel(tiny::SIDE_PX - 3, 10).0[0];
        assert!(hidden.abs_diff(128) < 12, "{hidden}");
        picture.get_pixel(3, 10).0[0] > 200
    });
    let scores = get(port, "/api/cameras/north/scores").json();
    let points = scores["points"].as_array().unwrap();
    assert!(!points.is_empty() && points.iter().all(|p| (0.0..=1.0).contains(&p["score"].as_f64().unwrap())));
    let from = scores["next"].as_u64().unwrap();
    eventually("more scores", || {
        let more = get(port, &format!("/api/cameras/north/scores?from={from}")).json();
        more["next"].as_u64().unwrap() > from
    });

    let event = await_event(port);
    assert_eq!((&event["camera"], &event["is_over"]), (&json!("north"), &json!(true)));
    let path = |key: &str| format!("/{}", event[key].as_str().unwrap());
    let snapshot = get(port, &path("snapshot"));
    assert_eq!((snapshot.status, snapshot.header("content-type")), (200, Some("image/jpeg")));
    image::load_from_memory(&snapshot.body).unwrap();
    let clip = get(port, &path("clip"));
    assert_eq!((clip.status, clip.header("content-type")), (200, Some("video/mp4")));
    assert_eq!(&clip.body[4..8], b"ftyp");
    let part = request(port, "GET", &path("clip"), &[BEARER, "Range: bytes=4-7"], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, b"ftyp".as_slice()));
    eventually("another event", || get(port, "/api/events").json().as_array().unwrap().len() >= 3);
    let ids = |path: &str| -> Vec<String> {
        let events = get(port, path).json();
        events.as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = ids("/api/events");
    let second = ids(&format!("/api/events?limit=1&before={}", all[0]));
    assert_eq!(second, [all[1].clone()], "page by page");
    assert_eq!(ids(&format!("/api/events?before={}", all[1])), all[2..].to_vec());
    daemon.end();
}

#[test]
fn evidence_of_an_earlier_run_is_listed_and_an_event_without_evidence_too() {
    let folder = tempfile::tempdir().unwrap();
    let (daemon, port) = board(folder.path(), "[evidence]\npre_roll_ms = 500\npost_roll_ms = 500\n");
    let first = await_event(port);
    daemon.end();
    let (daemon, port) = board(folder.path(), "[evidence]\npre_roll_ms = 500\npost_roll_ms = 500\n");
    let events = get(port, "/api/events?limit=200").json();
    assert!(events.as_array().unwrap().iter().any(|event| event["id"] == first["id"]), "{events}");
    daemon.end();
    std::fs::remove_dir_all(folder.path().join("evidence")).unwrap();
    let (_daemon, port) = board(folder.path(), "");
    eventually("an event", || {
        get(port, "/api/events").json().as_array().unwrap().iter().any(|e| e["clip"].is_null())
    });
}

#[test]
fn hostile_requests_are_refused_and_cost_the_camera_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_daemon, port) = board(folder.path(), "[evidence]\n");
    std::fs::create_dir_all(folder.path().join("evidence/north")).unwrap();
    std::fs::write(folder.path().join("evidence/north/notes.json"), b"{}").unwrap();
    for path in [
        "/api/evidence/north/..%2f..%2ftoken",
        "/api/evidence/..%2f/token",
        "/api/evidence/%2e%2e/token",
        "/api/evidence/north/%2e%2e%2f%2e%2e%2fboard.toml",
        "/api/evidence/north/notes.json",
        "/api/evidence/north/1-00000001-1.toml",
        "/api/evidence/north/1-00000001-1.jpg%00.json",
        "/api/evidence/north/../../token",
        "//etc/passwd",
        "/api/evidence/north//etc/passwd",
        "/api/cameras/..%2f/live.jpg",
        "/api/cameras/west/live.jpg",
        "/api/cameras/west/scores",
        "/token",
    ] {
        let answer = get(port, path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(!answer.text().contains(TOKEN));
    }
    assert_eq!(get(port, "/api/events?before=north/..").status, 400);
    assert_eq!(get(port, "/api/events?limit=-1").status, 400);
    assert_eq!(get(port, "/api/cameras/north/scores?from=x").status, 400);

    let large = vec![b'x'; 1 << 20];
    assert_eq!(
        request(port, "POST", "/api/session", &["Content-Type: application/json"], &large).status,
        413
    );
    let endless = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(1 << 17));
    assert_eq!(send(port, endless.as_bytes()).status, 431);
    let chunked =
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n\
        Transfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    assert_eq!(send(port, &[chunked.as_slice(), &chunk, &chunk, &chunk, b"0\r\n\r\n"].concat()).status, 413);
    for noise in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".as_slice(),
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        assert_eq!(send(port, noise).status, 400);
    }

    // Another host takes more connections than there are places, and says nothing.
    let script = "import socket, sys, time\n\
        held = [socket.create_connection(('127.0.0.1', int(sys.argv[1])), source_address=('127.0.0.2', 0)) for _ in range(100)]\n\
        print('held', flush=True)\nsys.stdin.read()";
    let mut other = Command::new("/usr/bin/python3")
        .args(["-c", script, &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 5];
    other.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    let frames = || {
        let text = get(port, "/metrics").text();
        let line =
            text.lines().find(|line| line.starts_with("watchpost_camera_frames_total")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let before = frames();
    eventually("pictures go on, and this host is served", || frames() > before + 20.0);
    drop(other.stdin.take());
    other.wait().unwrap();
}

#[test]
fn an_event_that_ended_with_the_power_is_over_and_its_video_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (daemon, port) = board(folder.path(), "[evidence]\npre_roll_ms = 500\npost_roll_ms = 500\n");
    let event = await_event(port);
    daemon.end();
    // As a power cut leaves it: a sheet from when the alarm was raised, and a video that nothing tells of.
    let stem = folder.path().join("evidence").join(event["id"].as_str().unwrap());
    let mut sheet: Value =
        serde_json::from_slice(&std::fs::read(stem.with_extension("json")).unwrap()).unwrap();
    sheet["is_complete"] = json!(false);
    sheet["cleared_media_ms"] = Value::Null;
    sheet["clip"] = Value::Null;
    std::fs::write(stem.with_extension("json"), sheet.to_string()).unwrap();
    // The outbox is lost too: what this run raises has lower numbers than what is on the disk, and comes first all the same.
    for file in ["outbox.db", "outbox.db-wal", "outbox.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(file));
    }
    let (_daemon, port) = board(folder.path(), "[evidence]\npre_roll_ms = 500\npost_roll_ms = 500\n");
    let boot = state(port)["boot"].as_str().unwrap().to_owned();
    eventually("an event of this run is the first", || {
        get(port, "/api/events").json()[0]["id"].as_str().is_some_and(|id| id.contains(&boot))
    });
    let events = get(port, "/api/events?limit=200").json();
    let found = events.as_array().unwrap().iter().find(|known| known["id"] == event["id"]).unwrap();
    assert_eq!(found["is_over"], true);
    assert_eq!(get(port, &format!("/{}", found["clip"].as_str().unwrap())).status, 200);
}

#[test]
fn commands_are_taken_where_they_are_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let (daemon, port) = board(folder.path(), "");
    let say = |port: u16, kind: &str, body: &str| {
        request(port, "POST", "/api/command", &[BEARER, kind], body.as_bytes())
    };
    const JSON: &str = "Content-Type: application/json";
    assert_eq!(say(port, JSON, r#"{"command":"disarm"}"#).status, 403);
    daemon.end();
    let (_daemon, port) = board(folder.path(), "commands = true\n");
    assert_eq!(say(port, "Content-Type: text/plain", r#"{"command":"disarm"}"#).status, 415);
    let wrong = say(port, JSON, r#"{"command":"dance"}"#);
    assert_eq!((wrong.status, &wrong.json()["ok"]), (422, &json!(false)));
    assert_eq!(
        say(port, JSON, &format!("{{\"command\":\"arm\",\"id\":\"{}\"}}", "x".repeat(2_000))).status,
        413
    );
    let armed = |expected: bool| {
        eventually("the order is obeyed", || state(port)["cameras"]["north"]["armed"] == json!(expected));
    };
    armed(true);
    assert_eq!(say(port, JSON, r#"{"command":"disarm","camera":"north"}"#).status, 200);
    armed(false);
    assert_eq!(say(port, JSON, r#"{"command":"arm"}"#).status, 200);
    armed(true);
}

/// Reads it as Prometheus' own library for Python does, and prints every sample.
const OPEN_METRICS: &str = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n\
    for family in read(sys.stdin.read()):\n    for sample in family.samples: print(sample.name, family.type, family.unit, sample.value)\n";

#[test]
fn prometheus_understands_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let (_daemon, port) = board(folder.path(), "metrics = \"open\"\n");
    eventually("it is scored", || state(port)["cameras"]["north"]["score"].is_number());
    let answer = request(port, "GET", "/metrics", &[], b"");
    assert_eq!(answer.status, 200, "open to who reaches the port");
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", OPEN_METRICS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(&answer.body).unwrap();
    let read = python.wait_with_output().unwrap();
    assert!(read.status.success(), "{}", answer.text());
    let read = common::stdout(&read);
    let value = |name: &str| -> f64 {
        let line = read.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in\n{read}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(read.contains("process_resident_memory_bytes gauge bytes"), "{read}");
    assert!(read.contains("process_cpu_seconds_total counter seconds"), "{read}");
    assert!(value("process_resident_memory_bytes") > 1e6 && value("process_threads") >= 3.0);
    assert!((value("watchpost_camera_up") - 1.0).abs() < 1e-9);
    assert!(value("watchpost_camera_frames_total") >= 16.0 && value("watchpost_camera_clips_total") >= 1.0);
    assert!((0.0..5.0).contains(&value("watchpost_camera_frame_age_seconds")));
    assert!((0.0..=1.0).contains(&value("watchpost_camera_score_ratio")));
    assert!(value("watchpost_outbox_records") >= 0.0 && value("watchpost_camera_events_total") >= 0.0);
}

#[test]
fn a_taken_port_stops_nothing_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    tiny::bundle(&folder.path().join("bundle"));
    tiny::event_video(&folder.path().join("event.mp4"), 6, 2, 2);
    std::fs::write(folder.path().join("token"), TOKEN).unwrap();
    let page = format!("[page]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"token\"\n[evidence]\n");
    write_config(folder.path(), &format!("{BOARD}{page}{CAMERA}"));
    let daemon = Board::start(folder.path());
    eventually("it alarms without its page", || {
        std::fs::read_dir(folder.path().join("evidence/north")).is_ok_and(|files| files.count() > 0)
    });
    drop(other);
    eventually("the page comes up", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    assert_eq!(state(port)["degraded"], json!([]));
    daemon.end();
}

#[test]
fn with_a_certificate_the_page_speaks_https_alone() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("site");
    let pair = authority.sign("localhost");
    for (name, text) in [("ca.pem", &authority.pem), ("page.pem", &pair.certificate), ("page.key", &pair.key)]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let (_daemon, port) = board(folder.path(), "certificate_file = \"page.pem\"\nkey_file = \"page.key\"\n");
    let script = "import ssl, sys, urllib.request as u\n\
        r = u.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]})\n\
        print(u.urlopen(r, context=ssl.create_default_context(cafile='ca.pem')).read().decode())";
    let url = format!("https://localhost:{port}/api/board");
    let python = Command::new("/usr/bin/python3")
        .args(["-c", script, &url, TOKEN])
        .current_dir(folder.path())
        .output();
    let python = python.unwrap();
    assert!(common::stdout(&python).contains("gate-1"), "{}", common::stderr(&python));
    let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    plain.write_all(b"GET /api/board HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
}
