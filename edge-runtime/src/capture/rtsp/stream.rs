//! One conversation with a camera: asked for its stream, received, and taken leave of.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use retina::client::{
    Credentials, Demuxed, PlayOptions, Session, SessionGroup, SessionOptions, SetupOptions,
    TcpTransportOptions, UdpTransportOptions,
};
use retina::codec::{CodecItem, FrameFormat, VideoFrame};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use vad_h264::Decoder;

use super::error::{RtspError, Trouble, first_line, of_answer};
use super::meter::Meter;
use super::{KEY_WAIT_MS, POLL_TIMEOUT_MS};
use crate::capture::CaptureError;
use crate::capture::feed::Feeder;
use crate::capture::pixels::Picture;
use crate::clock::Clock;
use crate::config::{RtspSource, Transport};

/// From the first packet to the camera's agreement to play.
const AGREEMENT: Duration = Duration::from_millis(super::AGREEMENT_MS);
/// For telling a camera that nobody looks any more: some serve only few at a time.
const FAREWELL: Duration = Duration::from_millis(500);
/// Most bytes without a picture, twice the longest access unit that is decoded.
const MOST_BYTES: u64 = 8 << 20;
/// RTCP's packet type for the end of a stream (RFC 3550, 6.6).
const BYE: u8 = 203;

/// Ends when the camera is dropped: its end of this channel is.
pub(super) type Closed = oneshot::Receiver<()>;

/// The capture thread's side.
pub(super) struct Capture {
    pub(super) source: RtspSource,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) feeder: Feeder,
}

/// What a new access unit led to.
enum Step {
    /// Somebody looks on.
    On { has_picture: bool },
    /// Nobody does.
    Unread,
}

impl Capture {
    /// Receives until the camera fails or nobody reads any more.
    pub(super) fn run(&mut self, closed: Closed) -> Result<(), CaptureError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| self.error(Trouble::Thread(e)))?;
        let group = Arc::<SessionGroup>::default();
        runtime.block_on(async {
            let end = match select(pin!(self.play(&group)), closed).await {
                Either::Left((end, _)) => end,
                Either::Right(_) => Ok(()),
            };
            if let Err(trouble) = end {
                // At once: taking leave of a camera that is gone takes time.
                self.feeder.fail(self.error(trouble));
            }
            let _ = timeout(FAREWELL, group.await_teardown()).await;
        });
        // A host name that is still looked up is not waited for.
        runtime.shutdown_background();
        Ok(())
    }

    pub(super) fn error(&self, trouble: Trouble) -> CaptureError {
        RtspError::new(&self.source, trouble).into()
    }

    async fn play(&mut self, group: &Arc<SessionGroup>) -> Result<(), Trouble> {
        let mut meter = Meter::start(MOST_BYTES);
        let too_much = || Trouble::TooMuch(MOST_BYTES);
        let agreed = timeout(AGREEMENT, meter.within(self.agree(group))).await;
        let agreed = agreed.map_err(|_| Trouble::Silent { waited_ms: super::AGREEMENT_MS })?;
        let mut items = agreed.ok_or_else(too_much)??;
        let mut decoder = Decoder::new()?;
        let mut waits = Waits::new(self.source.transport);
        loop {
            let until = waits.until();
            let item = match timeout_at(until, meter.within(items.next())).await {
                // Items that bring no picture must not put off the end.
                _ if Instant::now() >= until => return Err(waits.over()),
                Err(_) => return Err(waits.over()),
                Ok(None) => return Err(too_much()),
                Ok(Some(None)) => return Err(Trouble::Closed),
                Ok(Some(Some(Err(e)))) => return Err(Trouble::Broken(first_line(&e))),
                Ok(Some(Some(Ok(item)))) => item,
            };
            match item {
                CodecItem::VideoFrame(frame) => match self.take(&mut decoder, &frame)? {
                    Step::On { has_picture } => {
                        waits.note(has_picture);
                        meter.begin_anew();
                    }
                    Step::Unread => return Ok(()),
                },
                CodecItem::Rtcp(packet) if packet.pkts().any(|part| part.payload_type() == BYE) => {
                    return Err(Trouble::Bye);
                }
                _ => {}
            }
        }
    }

    /// Asks what there is, and for the first H.264 of it.
    async fn agree(&self, group: &Arc<SessionGroup>) -> Result<Demuxed, Trouble> {
        let credentials = self.source.credentials.clone();
        let credentials =
            credentials.map(|known| Credentials { username: known.username, password: known.password });
        let options = SessionOptions::default()
            .creds(credentials)
            .user_agent("watchpostd".to_owned())
            .session_group(Arc::clone(group));
        let refused = |e| of_answer(&self.source, &e);
        let described = Session::describe(self.source.url.url().clone(), options).await;
        let mut session = described.map_err(|e| match e.status_code() {
            None => Trouble::Unreachable(first_line(&e)),
            Some(_) => refused(e),
        })?;
        let index = h264_of(&session)?;
        let transport = match self.source.transport {
            Transport::Tcp => retina::client::Transport::Tcp(TcpTransportOptions::default()),
            Transport::Udp => retina::client::Transport::Udp(UdpTransportOptions::default()),
        };
        let setup = SetupOptions::default().transport(transport).frame_format(FrameFormat::SIMPLE);
        session.setup(index, setup).await.map_err(refused)?;
        let playing = session.play(PlayOptions::default()).await.map_err(refused)?;
        playing.demuxed().map_err(|e| Trouble::Broken(first_line(&e)))
    }

    /// Decodes every access unit, and hands on what is due.
    fn take(&mut self, decoder: &mut Decoder, frame: &VideoFrame) -> Result<Step, Trouble> {
        if frame.loss() > 0 {
            decoder.note_loss();
        }
        let at_ms = self.clock.monotonic_ms();
        let Some(decoded) = decoder.decode(frame.data())? else {
            return Ok(Step::On { has_picture: false });
        };
        if self.feeder.is_due(at_ms) {
            let (width_px, height_px) = decoded.size_px();
            let mut data = Vec::new();
            if decoded.to_rgb(&mut data).is_ok()
                && !self.feeder.hand_over(at_ms, Picture { width_px, height_px, data })
            {
                return Ok(Step::Unread);
            }
        }
        Ok(Step::On { has_picture: true })
    }
}

fn h264_of(session: &Session<retina::client::Described>) -> Result<usize, Trouble> {
    let streams = session.streams();
    let is_video = |stream: &&retina::client::Stream| stream.media() == "video";
    if let Some(at) = streams.iter().position(|s| s.media() == "video" && s.encoding_name() == "h264") {
        return Ok(at);
    }
    let found: Vec<String> =
        streams.iter().filter(is_video).map(|s| s.encoding_name().to_ascii_uppercase()).collect();
    if found.is_empty() { Err(Trouble::NoVideo) } else { Err(Trouble::Codec(found.join(" and "))) }
}

/// How long what may be waited for.
struct Waits {
    transport: Transport,
    begun: Instant,
    /// When the latest access unit came.
    unit: Instant,
    has_units: bool,
    /// When the latest picture came.
    picture: Option<Instant>,
}

impl Waits {
    const STALL: Duration = Duration::from_millis(POLL_TIMEOUT_MS);
    const KEY: Duration = Duration::from_millis(KEY_WAIT_MS);

    fn new(transport: Transport) -> Self {
        let now = Instant::now();
        Self { transport, begun: now, unit: now, has_units: false, picture: None }
    }

    fn note(&mut self, has_picture: bool) {
        self.unit = Instant::now();
        self.has_units = true;
        if has_picture {
            self.picture = Some(self.unit);
        }
    }

    /// A camera that has not given a picture yet may be far from its next key frame; one that has is begun anew sooner.
    fn until(&self) -> Instant {
        let picture = self.picture.map_or(self.begun + Self::KEY, |at| at + Self::STALL);
        picture.min(self.unit + Self::STALL)
    }

    fn over(&self) -> Trouble {
        let now = Instant::now();
        if self.picture.is_none() && self.has_units && now < self.unit + Self::STALL {
            return Trouble::NoKey { waited_ms: KEY_WAIT_MS };
        }
        Trouble::Stalled { waited_ms: POLL_TIMEOUT_MS, transport: self.transport }
    }
}
