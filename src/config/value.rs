//! What one value may be, and what to write instead where it isn't.

use crate::config::problem::Wrong;
use crate::config::quantity;
use crate::config::settings::{
    ClientCertificate, Dtmf, Io, Network, OutboundProxy, Prack, Redirects, Srtp, Transfer, TrunkTransport,
};
use std::net::{IpAddr, SocketAddr};
use tandem_codecs::Codec;

pub fn socket_address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new(
            format!("`{text}` is not an address with a port"),
            "write it like \"0.0.0.0:5060\", \"192.0.2.1:5060\" or \"[::]:5060\"",
        )
    })
}

pub fn dns_server(text: &str) -> Result<SocketAddr, Wrong> {
    let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    bare.or_else(|_| text.parse()).map_err(|_| {
        let what = format!("`{text}` is not the address of a DNS server");
        Wrong::new(what, "write it like \"192.0.2.53\", \"192.0.2.53:5353\" or \"[::1]:5353\"")
    })
}

pub fn public_address(text: &str) -> Result<IpAddr, Wrong> {
    let address: IpAddr = text.parse().map_err(|_| {
        Wrong::new(format!("`{text}` is not an address"), "write it like \"203.0.113.7\", without a port")
    })?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(Wrong::new(format!("`{text}` can't be sent to"), "write the address that others reach you at"));
    }
    Ok(address)
}

pub fn network(text: &str) -> Result<Network, Wrong> {
    let wrong = || {
        Wrong::new(
            format!("`{text}` is not an address or a network"),
            "write it like \"192.0.2.10\", \"192.0.2.0/24\" or \"2001:db8::/32\"",
        )
    };
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits: u8 = bits.map_or(Ok(all), str::parse).map_err(|_| wrong())?;
    if bits > all {
        return Err(wrong());
    }
    if bits == 0 {
        return Err(Wrong::new(format!("`{text}` is the whole world"), "name the networks that are meant"));
    }
    Ok(Network { address, bits })
}

pub fn ports(text: &str) -> Result<(u16, u16), Wrong> {
    let mend = "write it like \"20000-29999\"";
    let pair =
        text.split_once('-').and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)));
    let (first, last): (u16, u16) =
        pair.ok_or_else(|| Wrong::new(format!("`{text}` is not a range of ports"), mend))?;
    if first % 2 != 0 {
        let mend = format!("start at {}", first.saturating_add(1) & !1);
        return Err(Wrong::new(format!("`{text}` starts at an odd port, and RTP takes the even ones"), mend));
    }
    if first < 1024 {
        return Err(Wrong::new(format!("`{text}` has ports of the system"), "start at 1024 or above"));
    }
    if last < first || last - first < 3 {
        return Err(Wrong::new(format!("`{text}` has fewer than the 4 ports of one call"), mend));
    }
    Ok((first, last))
}

pub fn domain(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let address = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if !text.is_empty() && text.len() <= 253 && (text.chars().all(plain) || address.is_ok()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Wrong::new(format!("`{text}` is not a domain"), "write it like \"example.net\", without sip: and port"))
}

pub fn host(text: &str) -> Result<String, Wrong> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    if let Some((name, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && !name.is_empty()
    {
        let mend = format!("write host = \"{}\" and port = {port}", name.trim_matches(['[', ']']));
        return Err(Wrong::new(format!("`{text}` has a port"), mend));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !text.is_empty() && text.len() <= 253 && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("`{text}` is not a host"),
        "write a name or an address, like \"sip.provider.example\" or \"192.0.2.1\"",
    ))
}

pub fn outbound_proxy(text: &str) -> Result<OutboundProxy, Wrong> {
    if let Ok(host) = host(text) {
        return Ok(OutboundProxy { host, port: None });
    }
    let (name, port) = text.rsplit_once(':').unwrap_or((text, ""));
    match (host(name), port.parse::<u16>()) {
        (Ok(host), Ok(port)) if port > 0 => Ok(OutboundProxy { host, port: Some(port) }),
        _ => Err(Wrong::new(
            format!("`{text}` is not a proxy"),
            "write a name or an address, with a port if need be, like \"proxy.provider.example:5070\"",
        )),
    }
}

pub fn redirects(text: &str) -> Result<Redirects, Wrong> {
    match text {
        "follow" => Ok(Redirects::Follow),
        "pass" => Ok(Redirects::Pass),
        "refuse" => Ok(Redirects::Refuse),
        _ => Err(Wrong::new(
            format!("`{text}` is nothing to do with a redirection"),
            "write \"follow\", \"pass\" (to the caller) or \"refuse\"",
        )),
    }
}

pub fn user_name(text: &str) -> Result<String, Wrong> {
    // What a SIP address has before its @ without escapes (RFC 3261 §25.1), and no `+`, which begins a number.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '=' | '&');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{text}` can't be a user's name"), "take letters, digits, `-`, `_` and `.`, at most 64"))
}

pub fn trunk_name(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{text}` can't be a trunk's name"), "take letters, digits, `-`, `_` and `.`, at most 64"))
}

pub fn e164(text: &str) -> Result<String, Wrong> {
    let digits = text.strip_prefix('+').unwrap_or("");
    if (7..=15).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit()) && !digits.starts_with('0') {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("`{text}` is not a whole number in E.164"),
        "write it like \"+15550100001\"; a short internal number is a rule of the dialplan",
    ))
}

pub fn ha1(text: &str) -> Result<String, Wrong> {
    if text.len() == 32 && text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Wrong::new("it is not an MD5 sum", "write the 32 hexadecimal digits of MD5(name:realm:password)"))
}

pub fn transport(text: &str) -> Result<TrunkTransport, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "udp" => Ok(TrunkTransport::Udp),
        "tcp" => Ok(TrunkTransport::Tcp),
        "tls" => Ok(TrunkTransport::Tls),
        _ => Err(Wrong::new(format!("`{text}` is not a transport of trunks"), "write \"udp\", \"tcp\" or \"tls\"")),
    }
}

pub fn io(text: &str) -> Result<Io, Wrong> {
    let known = Io::ALL.into_iter().find(|io| io.name() == text);
    known.ok_or_else(|| {
        Wrong::new(format!("`{text}` is no way to move packets"), "write \"auto\", \"io_uring\" or \"epoll\"")
    })
}

/// None for `"auto"`.
pub fn pin(text: &str) -> Result<Option<bool>, Wrong> {
    match text {
        "auto" => Ok(None),
        "yes" => Ok(Some(true)),
        "no" => Ok(Some(false)),
        _ => Err(Wrong::new(format!("`{text}` is no answer"), "write \"yes\", \"no\" or \"auto\"")),
    }
}

pub fn client_certificate(text: &str) -> Result<ClientCertificate, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "no" => Ok(ClientCertificate::No),
        "asked" => Ok(ClientCertificate::Asked),
        "required" => Ok(ClientCertificate::Required),
        _ => Err(Wrong::new(format!("`{text}` is no such rule"), "write \"no\", \"asked\" or \"required\"")),
    }
}

pub fn prack(text: &str) -> Result<Prack, Wrong> {
    match text {
        "never" => Ok(Prack::Never),
        "supported" => Ok(Prack::Supported),
        "required" => Ok(Prack::Required),
        _ => Err(Wrong::new(format!("`{text}` is no use of PRACK"), "write \"supported\", \"required\" or \"never\"")),
    }
}

pub fn dtmf(text: &str) -> Result<Dtmf, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Dtmf::Auto),
        "rfc4733" => Ok(Dtmf::Rfc4733),
        "info" => Ok(Dtmf::Info),
        "inband" => Ok(Dtmf::Inband),
        _ => Err(Wrong::new(
            format!("`{text}` is no way to send digits"),
            "write \"auto\", \"rfc4733\", \"info\" or \"inband\"",
        )),
    }
}

pub fn transfer(text: &str) -> Result<Transfer, Wrong> {
    match text {
        "ours" => Ok(Transfer::Ours),
        "pass" => Ok(Transfer::Pass),
        _ => Err(Wrong::new(format!("`{text}` is no way to transfer a call"), "write \"ours\" or \"pass\"")),
    }
}

/// `application/media_control+xml`, in lower case.
pub fn media_type(text: &str) -> Result<String, Wrong> {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'+' | b'.' | b'_'))
    };
    match text.split_once('/') {
        Some((kind, subtype)) if is_word(kind) && is_word(subtype) => Ok(text.to_ascii_lowercase()),
        _ => {
            Err(Wrong::new(format!("`{text}` is not a media type"), "write it like \"application/media_control+xml\""))
        }
    }
}

pub fn srtp(text: &str) -> Result<Srtp, Wrong> {
    match text {
        "never" => Ok(Srtp::Never),
        "accepted" => Ok(Srtp::Accepted),
        "offered" => Ok(Srtp::Offered),
        "required" => Ok(Srtp::Required),
        _ => {
            let mend = "choose \"never\", \"accepted\", \"offered\" or \"required\"";
            Err(Wrong::new(format!("`{text}` is no way to protect media"), mend))
        }
    }
}

/// Codecs that we don't have, by their encoding names. They are passed on where both sides of a call have one.
const RELAYED: [&str; 15] = [
    "G729", "AMR", "AMR-WB", "GSM", "GSM-EFR", "iLBC", "speex", "EVS", "G723", "G726-16", "G726-24", "G726-32",
    "G726-40", "G728", "G7221",
];

/// A codec as a trunk's list names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Ours(Codec),
    Relayed(&'static str),
}

pub fn trunk_codec(text: &str) -> Result<Named, Wrong> {
    match relayed(text) {
        Some(name) => Ok(Named::Relayed(name)),
        None => codec(text).map(Named::Ours),
    }
}

fn relayed(text: &str) -> Option<&'static str> {
    RELAYED.into_iter().find(|name| name.eq_ignore_ascii_case(text))
}

pub fn codec(text: &str) -> Result<Codec, Wrong> {
    match text.to_ascii_uppercase().as_str() {
        "PCMU" => Ok(Codec::Pcmu),
        "PCMA" => Ok(Codec::Pcma),
        "G722" => Ok(Codec::G722),
        "OPUS" => Ok(Codec::Opus),
        "L16/8000" => Ok(Codec::L16 { rate: 8_000 }),
        "L16/16000" => Ok(Codec::L16 { rate: 16_000 }),
        "L16/48000" => Ok(Codec::L16 { rate: 48_000 }),
        upper => {
            let what = format!("unknown codec `{text}`");
            let mend = match upper {
                "G711" | "G.711" => "G.711 is \"PCMU\" (µ-law) or \"PCMA\" (A-law)",
                "G.722" => "write \"G722\"",
                "G.729" => "write \"G729\", in the list of a trunk",
                _ if relayed(text).is_some() => {
                    "we don't have it, and pass it on where both sides of a call do; name it in the list of a trunk"
                }
                _ => "write PCMU, PCMA, G722, opus, L16/8000, L16/16000 or L16/48000",
            };
            Err(Wrong::new(what, mend))
        }
    }
}

pub fn ptime(text: &str) -> Result<u32, Wrong> {
    let millis = quantity::duration(text)?.as_millis();
    match u32::try_from(millis) {
        Ok(millis @ (10 | 20 | 30 | 40 | 50 | 60)) => Ok(millis),
        _ => Err(Wrong::new(format!("`{text}` is no packet time"), "choose 10ms, 20ms, 30ms, 40ms, 50ms or 60ms")),
    }
}

pub fn message_bytes(text: &str) -> Result<usize, Wrong> {
    let bytes = quantity::size(text)?;
    if (4_096..=1 << 20).contains(&bytes) {
        return Ok(bytes);
    }
    Err(Wrong::new(format!("`{text}` is out of range"), "choose from \"4KiB\" to \"1MiB\""))
}

pub fn stored_bytes(text: &str) -> Result<usize, Wrong> {
    let bytes = quantity::size(text)?;
    if (1_024..=1 << 30).contains(&bytes) {
        return Ok(bytes);
    }
    Err(Wrong::new(format!("`{text}` is out of range"), "choose from \"1KiB\" to \"1GiB\""))
}

/// `"users"`, or `"user:NAME"`; whether there is such a user is found out by the accounts.
pub fn watcher(text: &str) -> Result<Option<String>, Wrong> {
    match text.strip_prefix("user:") {
        Some(name) if !name.is_empty() => Ok(Some(name.to_owned())),
        None if text == "users" => Ok(None),
        _ => Err(Wrong::new(format!("nobody is called `{text}`"), "write \"users\" or \"user:NAME\"")),
    }
}

pub fn store_url(text: &str) -> Result<String, Wrong> {
    let sqlite = "write \"sqlite:data/tandem.db\"";
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Err(Wrong::new("PostgreSQL comes with a later release", sqlite));
    }
    match text.strip_prefix("sqlite:") {
        Some(path) if !path.trim_start_matches('/').is_empty() => Ok(text.to_owned()),
        _ => Err(Wrong::new(format!("`{text}` is not a store"), sqlite)),
    }
}
