//! Cameras that want the board's memory, and a network that changes bytes: what comes without end is not kept without end, and nothing
//! panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use common::rtsp::{MAIN, Server, film, free_port};
use watchpostd::capture::{Camera, RtspCamera};
use watchpostd::clock::SystemClock;
use watchpostd::config::{CameraUrl, RtspSource, Transport};
use watchpostd::shutdown::Stop;

/// More than a camera may send without a picture and what waits in the kernel; without a bound, several times as much would pass.
const MOST_BYTES: usize = 100 << 20;
const ENDLESS_BYTES: usize = 600 << 20;

/// Takes one connection and gives it to `act`, which says how many bytes it sent until it was cut off.
fn camera(act: impl FnOnce(TcpStream) -> usize + Send + 'static) -> (RtspCamera, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://{}/street", listener.local_addr().unwrap());
    let sent = std::thread::spawn(move || act(listener.accept().unwrap().0));
    let source = RtspSource {
        url: CameraUrl::parse(&url).unwrap(),
        credentials: None,
        transport: Transport::Tcp,
        frame_rate_hz: 10.0,
    };
    (RtspCamera::open(&source, Arc::new(SystemClock::new()), Stop::default()).unwrap(), sent)
}

/// The header lines of the next request, and its number.
fn request(from: &mut BufReader<TcpStream>) -> Option<String> {
    let mut number = None;
    let mut line = String::new();
    loop {
        line.clear();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("CSeq: ") {
            number = Some(value.trim().to_owned());
        }
        if line.trim().is_empty() {
            return number;
        }
    }
}

/// Sends pieces until the other end has had enough, as fast as a quick network.
fn pour(mut to: TcpStream, mut piece: impl FnMut() -> Vec<u8>) -> usize {
    let mut sent = 0;
    while sent < ENDLESS_BYTES {
        let piece = piece();
        if to.write_all(&piece).is_err() {
            break;
        }
        sent += piece.len();
        std::thread::sleep(Duration::from_micros(200));
    }
    sent
}

fn error_of(camera: &mut RtspCamera) -> String {
    camera.next().expect_err("no picture").to_string()
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let (mut camera, sent) = camera(|mut stream| {
        let number = request(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
        let head = format!("RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Length: 4000000000\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        pour(stream, || vec![b'a'; 64 << 10])
    });
    let error = error_of(&mut camera);
    assert!(error.contains("8388608 bytes without a picture"), "{error}");
    let sent = sent.join().unwrap();
    assert!(sent < MOST_BYTES, "{sent} bytes");
}

#[test]
fn headers_without_end_are_cut_off() {
    let (mut camera, sent) = camera(|mut stream| {
        stream.write_all(b"RTSP/1.0 200 OK\r\n").unwrap();
        pour(stream, || b"X-Header: 0123456789012345678901234567890123456789\r\n".repeat(1_000))
    });
    let error = error_of(&mut camera);
    assert!(error.starts_with("rtsp://127.0.0.1:"), "{error}");
    let sent = sent.join().unwrap();
    assert!(sent < MOST_BYTES, "{sent} bytes");
}

#[test]
fn a_picture_without_end_is_cut_off() {
    let (mut camera, sent) = camera(|stream| {
        play(&stream);
        let mut number = 0_u16;
        pour(stream, move || {
            let mut piece = Vec::new();
            for _ in 0..32 {
                piece.extend(fragment(number, number == 0));
                number = number.wrapping_add(1);
            }
            piece
        })
    });
    let error = error_of(&mut camera);
    assert!(error.contains("8388608 bytes without a picture"), "{error}");
    let sent = sent.join().unwrap();
    assert!(sent < MOST_BYTES, "{sent} bytes");
}

/// Agrees to everything up to PLAY.
fn play(stream: &TcpStream) {
    const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
                       a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LACtkFJ4iIwEQAAAMABAAAAwBQPEiZIA==,aMuDyyA=\r\n\
                       a=control:trackID=0\r\n";
    let mut requests = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    let described = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len());
    let set_up = "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n".to_owned();
    for rest in [described, set_up, "Session: 1\r\n\r\n".to_owned()] {
        let number = request(&mut requests).unwrap();
        stream.write_all(format!("RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{rest}").as_bytes()).unwrap();
    }
}

/// A packet with a part of one key frame that never ends (RFC 6184, FU-A).
fn fragment(number: u16, is_first: bool) -> Vec<u8> {
    const LENGTH: u16 = 1_400;
    let mut packet = vec![b'$', 0];
    packet.extend(LENGTH.to_be_bytes());
    packet.extend([0x80, 96]);
    packet.extend(number.to_be_bytes());
    packet.extend([0, 0, 0, 1, 0, 0, 0, 1]);
    packet.extend([0x7c, if is_first { 0x85 } else { 0x05 }]);
    packet.resize(4 + usize::from(LENGTH), 0x55);
    packet
}

/// Passes a conversation on, with changed bytes in what the camera says: one in `every`, on average.
fn with_noise(mut board: TcpStream, server_port: u16, every: u64, seed: u64) -> usize {
    let mut server = TcpStream::connect(("127.0.0.1", server_port)).unwrap();
    let (mut requests, mut to_server) = (board.try_clone().unwrap(), server.try_clone().unwrap());
    let up = std::thread::spawn(move || {
        drop(std::io::copy(&mut requests, &mut to_server));
        // Nobody asks any more: what reads below ends too.
        drop(to_server.shutdown(std::net::Shutdown::Both));
    });
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut buffer = [0; 8_192];
    let mut changed = 0;
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        for byte in &mut buffer[..length] {
            if next().is_multiple_of(every) {
                *byte ^= 1 << (next() % 8);
                changed += 1;
            }
        }
        if board.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    for stream in [&board, &server] {
        drop(stream.shutdown(std::net::Shutdown::Both));
    }
    up.join().unwrap();
    changed
}

#[test]
fn changed_bytes_cost_pictures_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = film(folder.path(), "street.mp4", "320x240", 60, &MAIN);
    let server = Server::start(free_port(), false, &[("/street", &file)]);
    let port = server.port;
    let (mut pictures, mut errors, mut changes) = (0, 0, 0);
    for seed in 0..15 {
        // From the very first answer on, and in the midst of pictures.
        let every = [300, 3_000, 20_000][seed as usize % 3];
        let (mut camera, changed) = camera(move |stream| with_noise(stream, port, every, seed));
        for _ in 0..8 {
            match camera.next() {
                Ok(picture) => pictures += usize::from(picture.is_some()),
                Err(e) => {
                    assert!(!e.to_string().contains("failed inside"), "{e}");
                    errors += 1;
                    break;
                }
            }
        }
        drop(camera);
        changes += changed.join().unwrap();
    }
    println!("{changes} bytes changed: {pictures} pictures, {errors} errors");
    assert!(changes > 0 && pictures > 0 && errors > 0, "{changes} {pictures} {errors}");
}
