//! `tandem call`

use super::outcome::{Answer, Failure, Outcome};
use super::{Ground, screen};
use std::path::PathBuf;
use std::time::Duration;
use tandem::call::phone::{News, Outcome as CallOutcome};
use tandem::config::settings::{self, Settings};
use tandem::shell::phone;

/// How long the other side may ring.
const RING_TIMEOUT: Duration = Duration::from_secs(60);

/// Call somebody: a telephone for scripts
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem call 'sip:*43@127.0.0.1' --user alice --password … --play speech.wav --record heard.wav --for 8s")]
pub struct Args {
    /// Whom to call, such as sip:bob@127.0.0.1
    #[arg(value_name = "SIP-URI")]
    pub target: String,
    /// The account to call as; without it, the call asks for nothing but to be let in
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The account's password
    #[arg(long, env = "TANDEM_PASSWORD", hide_env_values = true, requires = "user")]
    pub password: Option<String>,
    /// A sound file to speak (WAV, MP3, FLAC, Ogg); then silence
    #[arg(long, value_name = "FILE")]
    pub play: Option<PathBuf>,
    /// Where what is heard is written, as WAV
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Digits to dial once the call is answered: 0-9, *, #, A-D
    #[arg(long, value_name = "DIGITS", value_parser = digits)]
    pub dtmf: Option<String>,
    /// When to hang up after the answer, such as 10s; without it, when the other side does
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub hold: Option<Duration>,
    /// What to offer, in this order, such as PCMA,opus
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub codec: Vec<String>,
    /// Whether to protect the media by SRTP; offered ones may go in clear where the other side doesn't have it
    #[arg(long, value_enum, default_value = "never")]
    pub srtp: Srtp,
    /// How to send the signalling; without it as the address says (`sips:`, `;transport=`), or udp
    #[arg(long, value_enum)]
    pub transport: Option<Transport>,
    /// The roots that the server's certificate leads to (PEM), for tls; without it, the system's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Srtp {
    Never,
    Offered,
    Required,
}

pub fn run(_ground: &Ground, args: Args) -> Outcome {
    let _log = screen::log_from_environment("warn")?;
    let json = args.json;
    let order = order(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format_args!("the runtime can't start: {error}; see the system's limits")))?;
    let told = |news: News| {
        if !json {
            say(&news);
        }
    };
    let outcome = runtime.block_on(phone::call(order, told)).map_err(|problems| Failure { lines: problems.0 })?;
    if json {
        println!("{}", as_json(&outcome));
    } else {
        summarize(&outcome);
    }
    Ok(if (200..300).contains(&outcome.status) { Answer::Yes } else { Answer::No })
}

fn order(args: Args) -> Result<phone::Order, Failure> {
    let mut codecs = Vec::new();
    for name in &args.codec {
        codecs.push(
            tandem::config::value::codec(name)
                .map_err(|wrong| Failure::new(format_args!("--codec {name}: {}; {}", wrong.what, wrong.mend)))?,
        );
    }
    if codecs.is_empty() {
        codecs = Settings::default().media.codecs;
    }
    Ok(phone::Order {
        target: args.target,
        user: args.user,
        password: args.password,
        play: args.play,
        record: args.record,
        digits: args.dtmf.unwrap_or_default(),
        stay: args.hold,
        codecs,
        srtp: match args.srtp {
            Srtp::Never => settings::Srtp::Never,
            Srtp::Offered => settings::Srtp::Offered,
            Srtp::Required => settings::Srtp::Required,
        },
        transport: args.transport.map(|transport| match transport {
            Transport::Udp => tandem::sip::flow::Transport::Udp,
            Transport::Tcp => tandem::sip::flow::Transport::Tcp,
            Transport::Tls => tandem::sip::flow::Transport::Tls,
        }),
        ca: args.ca,
        ring_timeout: RING_TIMEOUT,
    })
}

fn say(news: &News) {
    match news {
        News::Calling => eprintln!("calling"),
        News::Progress { status, reason } => eprintln!("{status} {reason}"),
        News::Answered { codec } => eprintln!("answered, speaking {codec}"),
    }
}

fn summarize(outcome: &CallOutcome) {
    if outcome.status > 0 {
        println!("{} {}", outcome.status, outcome.reason);
    }
    println!("{}, after {:.1} s of talk", outcome.ended, outcome.talk.as_secs_f64());
    if let Some(media) = &outcome.media {
        println!(
            "sent {} packets, received {}, lost {}, jitter {:.1} ms",
            media.sent_packets,
            media.received_packets,
            media.lost_packets,
            f64::from(media.jitter_us) / 1_000.0
        );
    }
}

fn as_json(outcome: &CallOutcome) -> serde_json::Value {
    serde_json::json!({
        "status": outcome.status,
        "reason": outcome.reason,
        "codec": outcome.codec,
        "talk_ms": outcome.talk.as_millis() as u64,
        "ended": outcome.ended,
        "sent_packets": outcome.media.map(|media| media.sent_packets),
        "received_packets": outcome.media.map(|media| media.received_packets),
        "lost_packets": outcome.media.map(|media| media.lost_packets),
        "jitter_us": outcome.media.map(|media| media.jitter_us),
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    tandem::config::quantity::duration(text).map_err(|wrong| format!("{}; {}", wrong.what, wrong.mend))
}

fn digits(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.len() <= 128 && text.bytes().all(|byte| b"0123456789*#ABCDabcd".contains(&byte)) {
        return Ok(text.to_ascii_uppercase());
    }
    Err("digits are 0-9, *, # and A-D, at most 128 of them".to_owned())
}
