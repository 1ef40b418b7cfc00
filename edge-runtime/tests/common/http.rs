//! HTTP by hand, for what no well-behaved client would send, and for WebDriver.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {} {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// One request on a connection of its own.
pub fn request(port: u16, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    headers.iter().for_each(|header| head.push_str(&format!("{header}\r\n")));
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    send(port, &[format!("{head}\r\n").as_bytes(), body].concat())
}

/// Bytes as they are, and what comes back until the other side closes.
pub fn send(port: u16, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // Who is refused early may find the connection closed.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut some = [0; 16 * 1024];
    // Some servers say how long the answer is and keep the connection.
    while !is_whole(&answer)
        && let Ok(read @ 1..) = stream.read(&mut some)
    {
        answer.extend_from_slice(&some[..read]);
    }
    let (head, body) = apart(&answer).unwrap_or_else(|| {
        panic!("no answer to {:?}: {answer:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]))
    });
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: body.to_vec() }
}

fn apart(answer: &[u8]) -> Option<(String, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&answer[..end]).into_owned(), &answer[end + 4..]))
}

fn is_whole(answer: &[u8]) -> bool {
    apart(answer).is_some_and(|(head, body)| {
        let answer = Answer { status: 0, head, body: Vec::new() };
        answer.header("content-length").is_some_and(|length| body.len() >= length.parse().unwrap())
    })
}
