//! Network cameras: live555's RTSP server in the part of the camera. It sends what many cameras' firmware sends, since that is live555 too:
//! a report before it agrees to play, a BYE or silence at the end. A small
//! server over its library asks for a password, which this one cannot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use common::live555::{Live555, Turn};
use common::rtsp::{
    BASELINE, H265, MAIN, check, decoded, error_of, film, mean_difference, open, places, section, source,
    user_and, with_password, write_board,
};
use common::running::Board;
use common::{eventually, stderr, stdout};
use fault_tests::proxy::{Mood, Proxy};
use watchpostd::capture::{Camera, RtspCamera};
use watchpostd::config::{RtspSource, Transport};

const SIZE_PX: (u32, u32) = (320, 240);
/// An address would have to escape it, a shell to quote it; a digest is made of it as it is.
const PASSWORD: &str = "h@rd:er/2 %41?#\"\\&\u{fc}";
/// The same as an address has it.
const ESCAPED: &str = "h%40rd%3Aer%2F2%20%2541%3F%23%22%5C%26%C3%BC";
const WRONG: &str = "another-password";

/// Whether a text holds a password, also one whose quotes were escaped.
fn shows_password(text: &str) -> bool {
    ["h@rd:er/2", "h%40rd%3Aer", WRONG].iter().any(|secret| text.contains(secret))
}

/// A source that leaves out no picture, however close it comes to the one before.
fn every_picture(port: u16, path: &str) -> RtspSource {
    RtspSource { frame_rate_hz: 1_000.0, ..source(port, path) }
}

/// Takes as many pictures as there are, and each must be the next one. Neighbours are three times as far apart.
fn shows(camera: &mut RtspCamera, truth: &[Vec<u8>]) {
    for (at, wanted) in truth.iter().enumerate() {
        camera.next().unwrap().expect("a picture");
        let frame = camera.frame().unwrap();
        assert_eq!((frame.width_px(), frame.height_px()), SIZE_PX, "picture {at}");
        let off = mean_difference(frame.data(), wanted);
        assert!(off < 3.0, "picture {at}: {off} of 255 off");
    }
}

/// Promised are three seconds.
fn fails_in_time(camera: &mut RtspCamera) -> String {
    let begun = Instant::now();
    let error = error_of(camera);
    assert!(begun.elapsed() < Duration::from_secs(10), "{error}");
    assert!(error.starts_with("rtsp://127.0.0.1"), "{error}");
    error
}

#[test]
fn every_picture_is_shown_and_the_end_and_a_refused_transport_are_errors() {
    let turn = Turn::take();
    let folder = tempfile::tempdir().unwrap();
    let plain = film(folder.path(), "plain.264", "320x240", 3, &BASELINE);
    let with_b = film(folder.path(), "b.264", "320x240", 4, &[&MAIN[..], &["-bf", "2"]].concat());
    let truth = decoded(&plain, SIZE_PX);
    assert_eq!(truth.len(), 30);
    let server = Live555::start(&turn, folder.path());
    let proxy = Proxy::start(server.address);
    let plain = every_picture(proxy.port(), "/plain.264");
    let mut camera = open(&plain);
    // The last one may go with the stream.
    shows(&mut camera, &truth[..29]);
    let error = error_of(&mut camera);
    assert!(error.contains("ended the stream"), "{error}");
    let mut camera = open(&every_picture(proxy.port(), "/b.264"));
    let places = places(&mut camera, &decoded(&with_b, SIZE_PX), 20);
    assert!(places.is_sorted_by(|a, b| a < b) && places[19] < 30, "{places:?}");
    // It knows datagrams by another name than they are asked for.
    let error = fails_in_time(&mut open(&RtspSource { transport: Transport::Udp, ..plain }));
    assert!(error.contains("set transport = \"tcp\""), "{error}");
}

#[test]
fn a_network_that_fails_or_a_server_that_dies_is_an_error_in_time_and_pictures_come_again() {
    let turn = Turn::take();
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "street.264", "320x240", 20, &BASELINE);
    let truth = decoded(&file, SIZE_PX);
    let server = Live555::start(&turn, folder.path());
    let proxy = Proxy::start(server.address);
    let source = every_picture(proxy.port(), "/street.264");
    for (mood, says) in [(Mood::DeafDown, "no picture for 2000 ms"), (Mood::Reset, "rtsp://")] {
        let mut camera = open(&source);
        shows(&mut camera, &truth[..12]);
        proxy.set(mood);
        let error = fails_in_time(&mut camera);
        assert!(error.contains(says), "{mood:?}: {error}");
        proxy.set(Mood::Honest);
    }
    let mut camera = open(&source);
    shows(&mut camera, &truth[..12]);
    server.kill();
    fails_in_time(&mut camera);
    // Nobody is there.
    fails_in_time(&mut open(&source));
    let server = Live555::start(&turn, folder.path());
    proxy.lead_to(server.address);
    shows(&mut open(&source), &truth[..12]);
}

/// Where the slices of an elementary stream begin, of which x264 makes one for each picture.
fn slices(stream: &[u8]) -> Vec<usize> {
    let begins_slice = |four: &[u8]| four[..3] == [0, 0, 1] && matches!(four[3] & 31, 1 | 5);
    stream.windows(4).enumerate().filter(|(_, four)| begins_slice(four)).map(|(at, _)| at).collect()
}

#[test]
fn of_a_truncated_stream_what_is_whole_is_shown_and_its_end_is_an_error() {
    let turn = Turn::take();
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "whole.264", "320x240", 3, &BASELINE);
    let truth = decoded(&file, SIZE_PX);
    let stream = std::fs::read(&file).unwrap();
    let slices = slices(&stream);
    assert_eq!(slices.len(), truth.len());
    let torn = |name: &str, picture: usize| {
        let cut = slices[picture].midpoint(slices[picture + 1]);
        std::fs::write(folder.path().join(name), &stream[..cut]).unwrap();
    };
    torn("middle.264", 18);
    torn("first.264", 0);
    std::fs::write(folder.path().join("empty.264"), b"").unwrap();
    film(folder.path(), "silent.mkv", "320x240", 3, &BASELINE);
    let server = Live555::start(&turn, folder.path());
    let proxy = Proxy::start(server.address);
    let watch = |path: &str| open(&every_picture(proxy.port(), path));

    let mut middle = watch("/middle.264");
    shows(&mut middle, &truth[..18]);
    let error = middle.next().unwrap_err().to_string();
    assert!(error.contains("ended the stream"), "{error}");
    // Without a whole picture, or any at all.
    for path in ["/first.264", "/empty.264"] {
        let mut camera = watch(path);
        let begun = Instant::now();
        let error = camera.next().unwrap_err().to_string();
        assert!(begun.elapsed() < Duration::from_secs(10) && error.contains(path), "{error}");
    }
    // The same pictures in a container, whose end the server tells nobody.
    let mut silent = watch("/silent.mkv");
    shows(&mut silent, &truth);
    let error = fails_in_time(&mut silent);
    assert!(error.contains("no picture for 2000 ms"), "{error}");
}

#[test]
fn a_stream_of_another_codec_or_none_is_refused_by_name() {
    let turn = Turn::take();
    let folder = tempfile::tempdir().unwrap();
    film(folder.path(), "modern.265", "320x240", 2, &H265);
    film(folder.path(), "wrapped.ts", "320x240", 2, &MAIN);
    let server = Live555::start(&turn, folder.path());
    let proxy = Proxy::start(server.address);
    for (path, says) in [
        ("/modern.265", "sends its video as H265"),
        ("/wrapped.ts", "sends its video as MP2T"),
        ("/nowhere.264", "no such stream"),
    ] {
        let error = fails_in_time(&mut open(&source(proxy.port(), path)));
        assert!(error.contains(says), "{path}: {error}");
    }
}

#[test]
fn the_board_watches_an_address_again_after_restarts_with_another_codec_and_another_size() {
    let turn = Turn::take();
    let folder = tempfile::tempdir().unwrap();
    let films = tempfile::tempdir().unwrap();
    // The container's name says nothing about what is in it.
    let small = film(films.path(), "small.mkv", "320x240", 120, &BASELINE);
    let large = film(films.path(), "large.mkv", "640x480", 120, &MAIN);
    let h265 = film(films.path(), "h265.mkv", "320x240", 30, &H265);
    let street = folder.path().join("street.mkv");
    let start = |file: &Path| {
        std::fs::copy(file, &street).unwrap();
        Live555::start(&turn, folder.path())
    };
    let server = start(&small);
    let proxy = Proxy::start(server.address);
    write_board(folder.path(), &section("north", proxy.port(), "/street.mkv", ""));
    let board = Board::start(folder.path());
    let scores_more = |board: &Board| {
        let before = board.scored_clips();
        eventually("another clip is scored", || board.scored_clips() > before);
    };
    scores_more(&board);

    server.kill();
    board.await_faults((1, 0));
    let server = start(&h265);
    proxy.lead_to(server.address);
    eventually("the codec is named", || board.log().contains("sends its video as H265"));
    server.kill();
    let server = start(&large);
    proxy.lead_to(server.address);
    board.await_faults((1, 1));
    scores_more(&board);
    server.kill();
    board.await_faults((2, 1));
    let server = start(&small);
    proxy.lead_to(server.address);
    board.await_faults((2, 2));
    scores_more(&board);
    eventually("one thread", || board.threads("rtsp ") == 1);
    drop(server);

    board.end();
}

/// What a server answers to somebody without a name.
fn answer_to_nobody(server: SocketAddr) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(b"DESCRIBE rtsp://127.0.0.1/street.264 RTSP/1.0\r\nCSeq: 1\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_right_password_shows_every_picture_and_another_or_none_is_an_error_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "street.264", "320x240", 20, &BASELINE);
    let truth = decoded(&file, SIZE_PX);
    let server = Live555::start_locked(&file, PASSWORD);
    let answer = answer_to_nobody(server.address);
    assert!(
        answer.starts_with("RTSP/1.0 401 ") && answer.contains("\nWWW-Authenticate: Digest "),
        "{answer}"
    );
    let port = server.address.port();
    let source = every_picture(port, "/street.264");
    let right = with_password(source.clone(), PASSWORD);
    shows(&mut open(&right), &truth[..12]);
    let mut stranger = right.clone();
    stranger.credentials.as_mut().unwrap().username = "stranger".to_owned();
    for (source, says) in [
        (with_password(source.clone(), WRONG), "it refuses the password of `viewer`; check `username` and"),
        (with_password(source.clone(), ""), "it refuses the password of `viewer`; check `username` and"),
        (stranger, "it refuses the password of `stranger`; check `username` and"),
        (source, "it wants a user and a password; set `username` and `password_file`"),
    ] {
        let error = fails_in_time(&mut open(&source));
        assert!(error.starts_with(&format!("rtsp://127.0.0.1:{port}/street.264: {says}")), "{error}");
        assert!(!shows_password(&error), "{error}");
    }
    // Whoever was refused has shut nobody out.
    shows(&mut open(&right), &truth[..12]);
}

#[test]
fn check_tells_a_password_that_live555_takes_from_others_and_shows_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "street.264", "320x240", 30, &MAIN);
    let server = Live555::start_locked(&file, PASSWORD);
    // A file is no address: nothing in it is escaped.
    for (name, word) in [("right", PASSWORD), ("wrong", WRONG), ("escaped", ESCAPED)] {
        std::fs::write(folder.path().join(name), format!("{word}\n")).unwrap();
    }
    let camera = |id: &str, more: &str| section(id, server.address.port(), "/street.264", more);
    let locked = ["right", "wrong", "escaped"].map(|name| camera(name, &user_and(name))).concat();
    let output = check(folder.path(), &(locked + &camera("nobody", "")));
    assert!(!output.status.success());
    let said = stdout(&output);
    for (id, wanted) in [
        ("right", "a frame of 320x240 in H.264 from rtsp://127.0.0.1:"),
        ("wrong", "refuses the password of `viewer`"),
        ("escaped", "refuses the password of `viewer`"),
        ("nobody", "set `username` and `password_file`"),
    ] {
        let line = said.lines().find(|line| line.contains(&format!(" {id}: "))).expect(id);
        assert!(line.contains(wanted) && line.starts_with("ok") == (id == "right"), "{line}");
    }
    let all = said + &stderr(&output);
    assert!(!shows_password(&all), "{all}");
}

#[test]
fn a_board_whose_password_is_refused_asks_seldom_watches_the_rest_and_comes_back_when_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "street.264", "320x240", 120, &BASELINE);
    let south = Live555::start_locked(&file, PASSWORD);
    let north = Live555::start_locked(&file, WRONG);
    let proxy = Proxy::start(north.address);
    std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
    let camera = |id: &str, port: u16| section(id, port, "/street.264", &user_and("password"));
    let cameras = camera("north", proxy.port()) + &camera("south", south.address.port());
    write_board(folder.path(), &cameras);
    let board = Board::start(folder.path());
    board.await_faults((1, 0));
    assert!(board.log().contains("it refuses the password of `viewer`; check"), "{}", board.log());
    let scores_more = |camera: &str| {
        let before = board.scored_clips_of(camera);
        eventually(&format!("{camera} is scored"), || board.scored_clips_of(camera) > before);
    };
    eventually("it is asked again", || proxy.connections() >= 2);
    let asked = Instant::now();
    scores_more("south");
    assert_eq!((board.faults(), board.scored_clips_of("north")), ((1, 0), 0), "{}", board.log());

    north.kill();
    let north = Live555::start_locked(&file, PASSWORD);
    proxy.lead_to(north.address);
    // The third time is at least 15 s after the second, where a camera that is gone is tried every two seconds.
    eventually("it is asked once more", || proxy.connections() >= 3);
    assert!(asked.elapsed() >= Duration::from_secs(14), "{:?}", asked.elapsed());
    board.await_faults((1, 1));
    scores_more("north");
    scores_more("south");
    assert!(!shows_password(&board.log()), "{}", board.log());
    board.end();
}
