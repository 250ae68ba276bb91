//! `tandem call`: the telephone for scripts, with its sockets, its sound files and its time limit.

use crate::base::chance::Chance;
use crate::call::io::Input;
use crate::call::phone::{News, Outcome, Phone, PhoneSettings};
use crate::config::settings::{Settings, Srtp, Trunk, TrunkTls, TrunkTransport};
use crate::media::command::{Clip, Tap};
use crate::shell::clock::Clock;
use crate::shell::drive::World;
use crate::shell::error::{Problems, ShellError};
use crate::shell::tls::Tls;
use crate::shell::{prompt, seed};
use crate::sip::digest::ClientCredentials;
use crate::sip::flow::Transport;
use crate::sip::locate::Target;
use crate::wire::sip::Uri;
use hound::{SampleFormat, WavSpec, WavWriter};
use std::fs::File;
use std::io::BufWriter;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tandem_codecs::Codec;

/// Samples a second in what is recorded.
const RECORD_RATE: u32 = 16_000;
/// The ring between worker and file holds so many seconds.
const RING_SECONDS: usize = 4;

pub struct Order {
    /// `sip:bob@127.0.0.1`.
    pub target: String,
    pub user: Option<String>,
    pub password: Option<String>,
    pub play: Option<PathBuf>,
    pub record: Option<PathBuf>,
    pub digits: String,
    pub stay: Option<Duration>,
    pub srtp: Srtp,
    pub codecs: Vec<Codec>,
    /// None for what the target says, or UDP.
    pub transport: Option<Transport>,
    /// The roots that a server's certificate leads to, a PEM file; none for those of the system.
    pub ca: Option<PathBuf>,
    pub ring_timeout: Duration,
}

/// Places the call, and returns when it is over. `told` hears of its progress.
pub async fn call(order: Order, mut told: impl FnMut(News)) -> Result<Outcome, Problems> {
    let clip = order.play.as_deref().map(read_clip).transpose()?;
    let (host, port, said) = place_of(&order.target)?;
    let transport = order.transport.or(said).unwrap_or(Transport::Udp);
    let settings = loopback_of(&host, transport, order.ca);
    let mut chance = Chance::from_seed(seed::fresh()?);
    let clock = Clock::start();
    let mut world = World::open(&settings, clock, None).await?;
    world.tls().store(Tls::without_files(&settings)?.map(Arc::new));
    world.watch()?;
    let missing = |why: String| ShellError::new(&order.target, why, "check the address after the @");
    let located = world.locate(&Target::new(&host, port, Some(transport))).await.map_err(missing)?;
    let flow = located.order(&mut chance).first().copied().ok_or_else(|| missing("no address".to_owned()))?;
    let (tap, mut recording) = match &order.record {
        Some(path) => {
            let (samples, heard) = rtrb::RingBuffer::new(RECORD_RATE as usize * RING_SECONDS);
            (Some(Tap { samples, rate: RECORD_RATE }), Some(Recording::create(path, heard)?))
        }
        None => (None, None),
    };
    let user = order.user.clone().unwrap_or_else(|| "anonymous".to_owned());
    let credentials =
        order.password.clone().map(|password| ClientCredentials { username: user.clone(), password, realm: None });
    let domain = if host.contains(':') { format!("[{host}]") } else { host };
    let mut phone = Phone::new(
        PhoneSettings {
            flow,
            uri: order.target.clone(),
            from: format!("<sip:{user}@{domain}>"),
            user,
            credentials,
            codecs: order.codecs,
            srtp: order.srtp,
            clip,
            tap,
            digits: order.digits,
            stay: order.stay,
            ring_timeout: order.ring_timeout,
        },
        Chance::from_seed(chance.bytes()),
    );
    world.tell(&mut phone, Input::Timeout);
    let mut drain = tokio::time::interval(Duration::from_millis(200));
    loop {
        while let Some(news) = phone.poll_news() {
            told(news);
        }
        if let Some(outcome) = phone.outcome() {
            let outcome = outcome.clone();
            world.close();
            if let Some(recording) = recording {
                recording.finish()?;
            }
            return Ok(outcome);
        }
        let timeout = phone.poll_timeout();
        tokio::select! {
            arrival = world.wait(timeout) => world.turn(&mut phone, arrival),
            _ = tokio::signal::ctrl_c() => world.tell(&mut phone, Input::EndAll),
            _ = drain.tick() => if let Some(recording) = &mut recording { recording.drain()?; },
        }
    }
}

/// What was heard, on its way to a WAV file.
struct Recording {
    path: PathBuf,
    heard: rtrb::Consumer<i16>,
    writer: WavWriter<BufWriter<File>>,
}

impl Recording {
    fn create(path: &Path, heard: rtrb::Consumer<i16>) -> Result<Recording, ShellError> {
        let spec =
            WavSpec { channels: 1, sample_rate: RECORD_RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let writer = WavWriter::create(path, spec).map_err(|error| wav_error(path, &error))?;
        Ok(Recording { path: path.to_owned(), heard, writer })
    }

    fn drain(&mut self) -> Result<(), ShellError> {
        while let Ok(sample) = self.heard.pop() {
            self.writer.write_sample(sample).map_err(|error| wav_error(&self.path, &error))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), ShellError> {
        self.drain()?;
        self.writer.finalize().map_err(|error| wav_error(&self.path, &error))
    }
}

fn wav_error(path: &Path, error: &hound::Error) -> ShellError {
    match error {
        hound::Error::IoError(error) => ShellError::file(path, "can't write the recording", error),
        other => ShellError::new(path.display(), other, "choose another file for --record"),
    }
}

fn read_clip(path: &Path) -> Result<Arc<Clip>, ShellError> {
    prompt::read(path).map(Arc::new).map_err(|why| ShellError::new("--play", why, "name a WAV, FLAC, MP3 or Ogg file"))
}

/// The host, and what else the address says of the way there.
fn place_of(target: &str) -> Result<(String, Option<u16>, Option<Transport>), ShellError> {
    let wrong = || ShellError::new(target, "is no SIP address", "write it like sip:bob@127.0.0.1");
    let uri = Uri::parse(target).map_err(|_| wrong())?;
    if uri.host().is_empty() {
        return Err(wrong());
    }
    Ok((uri.host().to_owned(), uri.port(), Transport::of_uri(&uri)))
}

/// Sockets of the telephone's own: any port, of the kind that reaches the target.
fn loopback_of(host: &str, transport: Transport, ca: Option<PathBuf>) -> Settings {
    let mut settings = Settings::default();
    let any: [std::net::SocketAddr; 2] = [([0, 0, 0, 0], 0).into(), ([0u16; 8], 0).into()];
    let wanted = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => vec![any[0]],
        Ok(IpAddr::V6(_)) => vec![any[1]],
        Err(_) => any.to_vec(),
    };
    settings.sip.udp = if transport == Transport::Udp { wanted.clone() } else { Vec::new() };
    settings.sip.tcp = if transport == Transport::Tcp { wanted.clone() } else { Vec::new() };
    if transport == Transport::Tls {
        settings.sip.tls = wanted;
        // The one server whose certificate is checked.
        settings.trunks.push(Trunk {
            transport: Some(TrunkTransport::Tls),
            tls: TrunkTls { ca, ..TrunkTls::default() },
            ..Trunk::named("server", host)
        });
    }
    settings.media.ports = (40_000, 49_999);
    settings.media.workers = 1;
    settings
}
