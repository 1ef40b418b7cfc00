//! The camera as a device on the bus: answers what it is asked, each packet once, and gives pictures at its rate, honest ones or not.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::film::RATE_HZ;
use super::redir::{self, BulkIn, Packet, Status, Wanted};
use super::uvc::{self, Outcome, PAYLOAD_BYTES};
use super::webcam::{Conduct, Model};

/// Most transfers that wait for a picture; the driver asks for five.
const MOST_ASKED: usize = 64;
/// Time between two pictures.
const INTERVAL: Duration = Duration::from_millis(1_000 / RATE_HZ as u64);
const HEADER_BYTES: usize = 2;
/// Of a payload's header: pictures take turns in the first, and the last payload has the second.
const TURN: u8 = 1;
const LAST: u8 = 1 << 1;
const DAMAGED: u8 = 1 << 6;
const END_OF_HEADER: u8 = 1 << 7;

/// A camera that is plugged in.
pub(super) struct Camera {
    model: Model,
    film: Vec<Vec<u8>>,
    configuration: u8,
    asked: VecDeque<(u64, BulkIn)>,
    /// Pictures that were given.
    pictures: usize,
    /// Bytes of the next one that were given.
    given_bytes: usize,
    /// When the next payload may be given.
    due: Instant,
}

impl Camera {
    /// A camera that gives these pictures, again and again.
    pub(super) fn new(model: Model, film: Vec<Vec<u8>>) -> Self {
        let (asked, due) = (VecDeque::new(), Instant::now());
        Self { model, film, configuration: 0, asked, pictures: 0, given_bytes: 0, due }
    }

    /// From the next payload on.
    pub(super) fn behave(&mut self, conduct: Conduct) {
        self.model.conduct = conduct;
    }

    /// Forgets what another board asked.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
        self.given_bytes = 0;
    }

    /// When [`Camera::give`] has something to give, if somebody wants it.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.asked.is_empty()).then_some(self.due)
    }

    /// Takes a packet; the bytes answer it, unless a picture will.
    pub(super) fn take(&mut self, packet: Packet) -> Vec<u8> {
        let id = packet.id;
        match packet.wanted {
            Wanted::SetConfiguration(configuration) => {
                self.configuration = configuration;
                redir::configuration(id, configuration)
            }
            Wanted::GetConfiguration => redir::configuration(id, self.configuration),
            Wanted::SetInterface { interface, setting } => {
                // No interface has another setting than 0.
                let status = if setting == 0 { Status::Success } else { Status::Stall };
                redir::interface(id, status, interface, 0)
            }
            Wanted::GetInterface { interface } => redir::interface(id, Status::Success, interface, 0),
            Wanted::Control { setup, data } => {
                let (status, data) = match uvc::control(self.model.format, setup, &data) {
                    Outcome::Done(data) => (Status::Success, data),
                    Outcome::Restarted => {
                        self.given_bytes = 0;
                        (Status::Success, Vec::new())
                    }
                    Outcome::Refused => (Status::Stall, Vec::new()),
                };
                redir::control(id, setup, status, &data)
            }
            Wanted::Bulk(asked) if self.asked.len() == MOST_ASKED => {
                redir::bulk(id, asked, Status::Stall, &[])
            }
            Wanted::Bulk(asked) => {
                self.asked.push_back((id, asked));
                Vec::new()
            }
            Wanted::Cancel => {
                let Some(at) = self.asked.iter().position(|(asked, _)| *asked == id) else {
                    return Vec::new();
                };
                let cancelled = self.asked.remove(at);
                cancelled.map_or_else(Vec::new, |(_, asked)| redir::bulk(id, asked, Status::Cancelled, &[]))
            }
            Wanted::Nothing => Vec::new(),
        }
    }

    /// Gives what is due: at most the rest of one picture.
    pub(super) fn give(&mut self, now: Instant) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.due <= now
            && let Some((id, asked)) = self.asked.pop_front()
        {
            if self.model.conduct == Conduct::Halted {
                self.due = now + INTERVAL;
                bytes.extend(redir::bulk(id, asked, Status::Stall, &[]));
            } else {
                let payload = self.payload(asked.bytes.min(PAYLOAD_BYTES), now);
                bytes.extend(redir::bulk(id, asked, Status::Success, &payload));
            }
        }
        bytes
    }

    fn payload(&mut self, most_bytes: usize, now: Instant) -> Vec<u8> {
        let conduct = self.model.conduct;
        let number = self.pictures;
        let picture = &self.film[number % self.film.len()];
        let whole = if conduct == Conduct::Truncated { picture.len() / 2 } else { picture.len() };
        let begin = self.given_bytes.min(whole);
        let end = whole.min(begin + most_bytes.saturating_sub(HEADER_BYTES));

        let turn = if number % 2 == 1 { TURN } else { 0 };
        let last = if end == whole { LAST } else { 0 };
        let header = match conduct {
            Conduct::Endless => [2, END_OF_HEADER],
            Conduct::Headless => [0, 0],
            Conduct::Flagged => [2, END_OF_HEADER | DAMAGED | turn | last],
            _ => [2, END_OF_HEADER | turn | last],
        };
        let mut bytes = header.to_vec();
        bytes.extend(&picture[begin..end]);
        bytes.truncate(most_bytes);
        if conduct == Conduct::Scrambled {
            // The begin stays, so that it is a picture of its kind at first sight.
            let from = if begin == 0 { HEADER_BYTES + 4 } else { HEADER_BYTES };
            for (at, byte) in bytes.iter_mut().enumerate().skip(from) {
                *byte = (at.wrapping_mul(2_654_435_761) >> 7) as u8;
            }
        }
        if end == whole {
            self.pictures += 1;
            self.given_bytes = 0;
            // What could not be given in time is not made up for.
            self.due = (self.due + INTERVAL).max(now);
        } else {
            self.given_bytes = end;
        }
        bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::usb::Format;

    const ASKED: BulkIn = BulkIn { endpoint: 0x81, stream: 0, bytes: PAYLOAD_BYTES };

    fn camera(conduct: Conduct) -> Camera {
        let model = Model { format: Format::Grey, conduct };
        Camera::new(model, vec![vec![1; 40_000], vec![2; 40_000]])
    }

    fn ask(camera: &mut Camera, id: u64) {
        assert_eq!(camera.take(Packet { id, wanted: Wanted::Bulk(ASKED) }), []);
    }

    /// Headers and lengths of payloads that are given for as many transfers as there is room for, each picture at its time.
    fn payloads(camera: &mut Camera, count: u64) -> Vec<([u8; 2], usize)> {
        (0..count).for_each(|id| ask(camera, id));
        let mut payloads = Vec::new();
        while let Some(due) = camera.due() {
            let mut bytes = &camera.give(due)[..];
            while !bytes.is_empty() {
                let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
                let payload = &bytes[16 + 10..16 + length];
                payloads.push(([payload[0], payload[1]], payload.len()));
                bytes = &bytes[16 + length..];
            }
        }
        payloads
    }

    #[test]
    fn a_picture_comes_in_payloads_and_the_next_one_a_turn_later() {
        let mut camera = camera(Conduct::Honest);
        let of = |first: u8, last: u8| {
            [([2, first], 16_384), ([2, first], 16_384), ([2, last], 40_000 - 2 * 16_382 + 2)]
        };
        assert_eq!(payloads(&mut camera, 6), [of(0x80, 0x82), of(0x81, 0x83)].concat());
    }

    #[test]
    fn pictures_are_given_at_their_time() {
        let mut camera = camera(Conduct::Honest);
        (0..6).for_each(|id| ask(&mut camera, id));
        let first = camera.due().unwrap();
        assert!(!camera.give(first).is_empty());
        let next = camera.due().unwrap();
        assert!(next >= first + INTERVAL, "the next picture");
        assert_eq!(camera.give(next - INTERVAL / 2), []);
    }

    #[test]
    fn what_is_taken_back_is_answered_once() {
        let mut camera = camera(Conduct::Honest);
        (3..5).for_each(|id| ask(&mut camera, id));
        let cancel = |camera: &mut Camera, id| camera.take(Packet { id, wanted: Wanted::Cancel });
        assert_eq!(cancel(&mut camera, 3), redir::bulk(3, ASKED, Status::Cancelled, &[]));
        assert_eq!(cancel(&mut camera, 3), []);
        let due = camera.due().unwrap();
        let given = camera.give(due);
        assert_eq!(given[8..16], 4_u64.to_le_bytes());
        assert_eq!(camera.due(), None);
    }

    #[test]
    fn each_lie_is_what_it_is_called() {
        let headers = |conduct| payloads(&mut camera(conduct), 4).into_iter().map(|(header, _)| header);
        assert!(headers(Conduct::Endless).all(|header| header == [2, 0x80]));
        assert!(headers(Conduct::Headless).all(|header| header[0] == 0));
        assert!(headers(Conduct::Flagged).all(|header| header[1] & DAMAGED != 0));
        let short: usize =
            payloads(&mut camera(Conduct::Truncated), 2).iter().map(|(_, bytes)| bytes - 2).sum();
        assert_eq!(short, 20_000);
    }

    #[test]
    fn transfers_without_end_are_refused() {
        let mut camera = camera(Conduct::Honest);
        (0..MOST_ASKED as u64).for_each(|id| ask(&mut camera, id));
        let refused = camera.take(Packet { id: 99, wanted: Wanted::Bulk(ASKED) });
        assert_eq!(refused, redir::bulk(99, ASKED, Status::Stall, &[]));
    }
}
