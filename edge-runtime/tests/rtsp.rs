//! Network cameras: GStreamer's RTSP server in the part of the camera, and a network between that fails. `rtsp_live555.rs` has another
//! server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use common::rtsp::{
    BASELINE, H265, MAIN, PASSWORD, Server, check, decoded, error_of, film, free_port, open, places, section,
    source, user_and, with_password, write_board,
};
use common::running::Board;
use common::{eventually, stdout, tiny, write_config};
use fault_tests::proxy::{Mood, Proxy};
use watchpostd::capture::Camera;
use watchpostd::config::{RtspSource, Transport};

const SIZE_PX: (u32, u32) = (320, 240);

fn proxy_to(server: &Server) -> Proxy {
    Proxy::start(SocketAddr::from(([127, 0, 0, 1], server.port)))
}

#[test]
fn pictures_are_those_of_the_camera_in_their_order_over_either_transport() {
    let folder = tempfile::tempdir().unwrap();
    let with_b = film(folder.path(), "b.mp4", "320x240", 30, &[&MAIN[..], &["-bf", "2"]].concat());
    let plain = film(folder.path(), "plain.mp4", "320x240", 30, &BASELINE);
    let server = Server::start(free_port(), true, &[("/b", &with_b), ("/plain", &plain)]);
    for (path, file) in [("/b", &with_b), ("/plain", &plain)] {
        let truth = decoded(file, SIZE_PX);
        for transport in [Transport::Tcp, Transport::Udp] {
            let source = with_password(source(server.port, path), PASSWORD);
            let source = RtspSource { transport, ..source };
            let places = places(&mut open(&source), &truth, 20);
            assert!(places.is_sorted_by(|a, b| a < b), "{path} {transport:?}: {places:?}");
            assert!(places[19] - places[0] < 30, "{path} {transport:?}: {places:?}");
        }
    }
}

#[test]
fn every_frame_is_decoded_where_few_are_scored() {
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "street.mp4", "320x240", 60, &BASELINE);
    let server = Server::start(free_port(), false, &[("/street", &file)]);
    let truth = decoded(&file, SIZE_PX);
    let slow = RtspSource { frame_rate_hz: 2.0, ..source(server.port, "/street") };
    // Each needs all before it back to its key frame: a picture that was skipped instead of decoded would not look like that.
    let places = places(&mut open(&slow), &truth, 6);
    assert!(places[5] - places[0] >= 15, "two of ten pictures a second: {places:?}");
}

#[test]
fn a_network_that_is_slow_or_passes_single_bytes_changes_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    // So small that a busy machine passes its bytes one by one in time.
    let file = film(folder.path(), "street.mp4", "96x64", 60, &MAIN);
    let server = Server::start(free_port(), false, &[("/street", &file)]);
    let truth = decoded(&file, (96, 64));
    let proxy = proxy_to(&server);
    let mut camera = open(&source(proxy.port(), "/street"));
    let honest = places(&mut camera, &truth, 1);
    proxy.set(Mood::Crumbs);
    let crumbs = places(&mut camera, &truth[honest[0]..], 15);
    assert!(crumbs.is_sorted_by(|a, b| a < b), "{crumbs:?}");
}

#[test]
fn a_camera_that_falls_silent_or_breaks_off_is_an_error_in_time_and_can_be_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "street.mp4", "320x240", 120, &BASELINE);
    let server = Server::start(free_port(), false, &[("/street", &file)]);
    let proxy = proxy_to(&server);
    let source = source(proxy.port(), "/street");
    for (mood, says) in [
        (Mood::DeafDown, "no picture for 2000 ms"),
        (Mood::Reset, "rtsp://"),
        (Mood::DeafDown, "still there"),
    ] {
        proxy.set(Mood::Honest);
        let mut camera = open(&source);
        for _ in 0..12 {
            camera.next().unwrap().expect("a picture");
        }
        proxy.set(mood);
        let begun = Instant::now();
        let error = error_of(&mut camera);
        assert!(error.contains(says), "{mood:?}: {error}");
        // Promised are three seconds.
        assert!(begun.elapsed() < Duration::from_secs(10), "{mood:?}");
    }
    // A connection that is taken, and nothing comes.
    let error = error_of(&mut open(&source));
    assert!(error.contains("no answer for 3000 ms"), "{error}");
    // Nobody takes it.
    server.kill();
    proxy.set(Mood::Honest);
    let error = error_of(&mut open(&source));
    assert!(error.starts_with(&format!("rtsp://127.0.0.1:{}/street: ", proxy.port())), "{error}");
}

#[test]
fn the_end_of_a_stream_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "short.mp4", "320x240", 2, &BASELINE);
    let server = Server::start(free_port(), false, &[("/short", &file)]);
    let mut camera = open(&source(server.port, "/short"));
    camera.next().unwrap().expect("a picture");
    let error = error_of(&mut camera);
    assert!(error.contains("ended the stream"), "{error}");
}

#[test]
fn check_tells_what_a_camera_gives_or_what_to_do_and_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "street.mp4", "320x240", 30, &MAIN);
    let h265 = film(folder.path(), "street.h265.mp4", "320x240", 30, &H265);
    let server = Server::start(free_port(), true, &[("/street", &file), ("/h265", &h265)]);
    std::fs::write(folder.path().join("right"), format!("{PASSWORD}\n")).unwrap();
    std::fs::write(folder.path().join("wrong"), "another-password\n").unwrap();
    let right = user_and("right");
    let cameras = [
        ("good", "/street", right.clone()),
        ("udp", "/street", right.clone() + ", transport = \"udp\""),
        ("wrong", "/street", user_and("wrong")),
        ("nobody", "/street", String::new()),
        ("lost", "/nowhere", right.clone()),
        ("modern", "/h265", right.clone()),
        ("query", "/street?password=in-the-address", right),
    ];
    let cameras = cameras.map(|(id, path, more)| section(id, server.port, path, &more));
    let output = check(folder.path(), &cameras.concat());
    let said = stdout(&output);
    assert!(!output.status.success());
    for (id, wanted) in [
        ("good", "a frame of 320x240 in H.264 from rtsp://127.0.0.1:"),
        ("udp", "a frame of 320x240"),
        ("wrong", "refuses the password of `viewer`"),
        ("nobody", "set `username` and `password_file`"),
        ("lost", "no such stream"),
        ("modern", "sends its video as H265"),
    ] {
        let line = said.lines().find(|line| line.contains(&format!(" {id}: "))).expect(id);
        assert!(line.contains(wanted), "{line}");
        assert_eq!(line.starts_with("ok"), ["good", "udp"].contains(&id), "{line}");
    }
    let all = said + &common::stderr(&output);
    for secret in [PASSWORD, "another-password", "in-the-address"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn the_board_reports_a_lost_camera_once_and_watches_it_again_whatever_it_has_become() {
    let folder = tempfile::tempdir().unwrap();
    let small = film(folder.path(), "small.mp4", "320x240", 120, &BASELINE);
    let large = film(folder.path(), "large.mp4", "640x480", 120, &MAIN);
    let h265 = film(folder.path(), "other.h265.mp4", "320x240", 30, &H265);
    let port = free_port();
    let server = Server::start(port, false, &[("/street", &small)]);
    let proxy = proxy_to(&server);
    write_board(folder.path(), &section("north", proxy.port(), "/street", ""));
    let mut board = Board::start(folder.path());
    eventually("the camera is watched", || board.threads("rtsp ") == 1);
    let silent = |board: &Board| board.log().contains("camera fault");
    eventually("pictures come", || !silent(&board) && proxy.connections() == 1);

    server.kill();
    board.await_faults((1, 0));
    assert!(board.log().contains("rtsp://127.0.0.1:"), "{}", board.log());
    // A camera that was replaced by one that is too modern: the fault goes on, with another reason.
    let server = Server::start(port, false, &[("/street", &h265)]);
    eventually("the codec is named", || board.log().contains("sends its video as H265"));
    assert!(board.threads("rtsp ") <= 2, "no thread is left behind");
    server.kill();
    let server = Server::start(port, false, &[("/street", &large)]);
    board.await_faults((1, 1));
    // Half open: the connection stands, and nothing comes.
    proxy.set(Mood::DeafDown);
    board.await_faults((2, 1));
    proxy.set(Mood::Honest);
    let begun = Instant::now();
    board.await_faults((2, 2));
    // Promised are five seconds.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // Cut off in the middle of a picture.
    proxy.set(Mood::Reset);
    board.await_faults((3, 2));
    proxy.set(Mood::Honest);
    board.await_faults((3, 3));
    eventually("one thread", || board.threads("rtsp ") == 1);
    drop(server);

    let ended = Command::new("kill").args(["-TERM", &board.child.id().to_string()]).status().unwrap();
    assert!(ended.success() && board.child.wait().unwrap().success(), "{}", board.log());
}

#[test]
fn a_network_camera_takes_little_memory_beyond_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "street.mp4", "320x240", 60, &MAIN);
    tiny::bundle(&folder.path().join("bundle"));
    let server = Server::start(free_port(), false, &[("/street", &file)]);
    let url = format!("kind = \"rtsp\", url = \"rtsp://127.0.0.1:{}/street\"", server.port);
    let resident_kib = ["kind = \"file\", path = \"street.mp4\"".to_owned(), url].map(|source| {
        let config = format!(
            "[board]\nid = \"b\"\nsite = \"s\"\n[model]\nbundle = \"bundle\"\n[[camera]]\nid = \"north\"\nsource = {{ {source} }}\n"
        );
        write_config(folder.path(), &config);
        let board = Board::start(folder.path());
        eventually("clips are scored", || board.scored_clips() >= 3);
        board.resident_kib()
    });
    println!("a file: {} KiB, a network camera: {} KiB", resident_kib[0], resident_kib[1]);
    // The queue's sixteen pictures and the decoder's have 6 MiB together.
    assert!(resident_kib[1] < resident_kib[0] + (6 + 15) * 1_024, "{resident_kib:?}");
}
