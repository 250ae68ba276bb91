//! `tandem call`

use super::Ground;
use super::outcome::{Failure, Outcome};
use std::path::PathBuf;
use std::time::Duration;

/// Call somebody: a telephone for scripts
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem call 'sip:*43@127.0.0.1' --user alice --password … --play speech.wav --record heard.wav --for 8s")]
#[allow(dead_code, reason = "the telephone reads them")]
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
    /// How to send the signalling
    #[arg(long, value_enum, default_value = "udp")]
    pub transport: Transport,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    Udp,
    Tcp,
}

pub fn run(_ground: &Ground, _args: Args) -> Outcome {
    Err(Failure::later("`tandem call`"))
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
