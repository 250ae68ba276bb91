//! A tree of keys and values → settings. Each wrong value is reported and leaves the default in its place, so that
//! reading goes on.

use crate::config::country;
use crate::config::document::Node;
use crate::config::problem::{Place, Problems, Wrong};
use crate::config::quantity;
use crate::config::section::{Keys, Section};
use crate::config::settings::{
    Http, Limits, Media, Network, Secret, Settings, Sip, Store, Trunk, TrunkCredentials, TrunkTransport, User,
};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tandem_codecs::Codec;

const TOP: Keys = Keys {
    known: &["dialplan", "data", "drain_timeout", "sip", "http", "media", "store", "limits", "user", "trunk"],
    later: &["network", "xmpp", "jingle", "redis", "cluster", "rates", "voicemail", "conference"],
};
const SIP: Keys = Keys {
    known: &[
        "domain",
        "udp",
        "tcp",
        "registration_min",
        "registration_max",
        "registration_default",
        "t1",
        "ring_timeout",
        "trunk_timeout",
        "options_interval",
        "dialog_interval",
        "nonce_lifetime",
        "country",
    ],
    later: &["tls", "ws", "wss", "certificate", "key"],
};
const HTTP: Keys = Keys { known: &["listen"], later: &["tls", "certificate", "key"] };
const MEDIA: Keys = Keys {
    known: &["ports", "public_address", "workers", "silence_timeout", "hold_timeout", "codecs", "prompts"],
    later: &["srtp", "dtls", "ice"],
};
const STORE: Keys = Keys { known: &["url"], later: &[] };
const LIMITS: Keys = Keys {
    known: &[
        "calls",
        "transactions",
        "contacts",
        "registrations",
        "tcp_connections",
        "tcp_connections_per_address",
        "message_bytes",
    ],
    later: &[],
};
const USER: Keys =
    Keys { known: &["name", "password", "ha1", "number", "country", "display_name"], later: &["voicemail", "credit"] };
const TRUNK: Keys = Keys {
    known: &[
        "name",
        "host",
        "port",
        "transport",
        "username",
        "password",
        "register",
        "expires",
        "domain",
        "codecs",
        "ptime",
        "country",
        "max_calls",
        "from",
    ],
    later: &["tls", "srtp", "rates"],
};

/// Reads everything; what is missing or wrong has its default.
pub fn settings(root: &Node, problems: &Problems) -> Settings {
    let top = Section::open(root, "the configuration", &TOP, problems);
    let default = Settings::default();
    let data = top.word("data").map_or(default.data, PathBuf::from);
    let nothing = Node::empty(root.place.clone());
    let part = |name: &'static str, keys: &Keys| {
        Section::open(top.get(name).unwrap_or(&nothing), format!("[{name}]"), keys, problems)
    };
    let (sip_part, http_part, media_part) = (part("sip", &SIP), part("http", &HTTP), part("media", &MEDIA));
    let settings = Settings {
        dialplan: top.word("dialplan").map(PathBuf::from),
        sip: sip(&sip_part),
        http: http(&http_part),
        media: media(&media_part, &data),
        store: store(&part("store", &STORE), &data),
        limits: limits(&part("limits", &LIMITS)),
        drain_timeout: top.duration("drain_timeout", span(0, 86_400)).unwrap_or(default.drain_timeout),
        users: users(top.tables("user"), problems),
        trunks: trunks(top.tables("trunk"), problems),
        data,
    };
    clashes(&settings, &sip_part, &http_part, &media_part);
    settings
}

fn sip(part: &Section<'_>) -> Sip {
    let default = Sip::default();
    let span_of = |key, least, most, default| part.duration(key, span(least, most)).unwrap_or(default);
    let sip = Sip {
        domain: part.read("domain", domain).unwrap_or(default.domain),
        udp: listeners(part, "udp").unwrap_or(default.udp),
        tcp: listeners(part, "tcp").unwrap_or(default.tcp),
        registration_min: span_of("registration_min", 1, 86_400, default.registration_min),
        registration_max: span_of("registration_max", 10, 7 * 86_400, default.registration_max),
        registration_default: span_of("registration_default", 10, 7 * 86_400, default.registration_default),
        t1: part.duration("t1", Duration::from_millis(10)..=Duration::from_secs(5)).unwrap_or(default.t1),
        ring_timeout: span_of("ring_timeout", 5, 3_600, default.ring_timeout),
        trunk_timeout: span_of("trunk_timeout", 1, 60, default.trunk_timeout),
        options_interval: part
            .duration_or_never("options_interval", span(1, 3_600))
            .unwrap_or(default.options_interval),
        dialog_interval: part.duration_or_never("dialog_interval", span(10, 86_400)).unwrap_or(default.dialog_interval),
        nonce_lifetime: span_of("nonce_lifetime", 10, 86_400, default.nonce_lifetime),
        country: part.read("country", country::read),
    };
    let (least, most, usual) = (sip.registration_min, sip.registration_max, sip.registration_default);
    if !(least..=most).contains(&usual) {
        // The key that the operator wrote is the one to look at; the others may be defaults.
        let keys = ["registration_default", "registration_min", "registration_max"];
        let key = keys.into_iter().find(|key| part.has(key)).unwrap_or("registration_default");
        let [least, most, usual] = [least, most, usual].map(quantity::written);
        let what = format!("registrations last {usual} by default, outside of {least} to {most}");
        part.report(part.place_of(key), what, "let registration_min <= registration_default <= registration_max");
    }
    if sip.udp.is_empty() && sip.tcp.is_empty() {
        part.report(part.place_of("udp"), "nothing listens for SIP", "give `udp` or `tcp` an address");
    }
    sip
}

fn http(part: &Section<'_>) -> Http {
    Http { listen: part.read("listen", socket_address).unwrap_or(Http::default().listen) }
}

fn media(part: &Section<'_>, data: &Path) -> Media {
    let default = Media::default();
    Media {
        ports: part.read("ports", ports).unwrap_or(default.ports),
        public_address: part.read("public_address", public_address),
        workers: part.integer("workers", 1..=256).map_or(default.workers, |count: u16| usize::from(count)),
        silence_timeout: part.duration_or_never("silence_timeout", span(5, 86_400)).unwrap_or(default.silence_timeout),
        hold_timeout: part.duration_or_never("hold_timeout", span(5, 604_800)).unwrap_or(default.hold_timeout),
        codecs: codecs(part).filter(|codecs| !codecs.is_empty()).unwrap_or(default.codecs),
        prompts: part.word("prompts").map_or_else(|| data.join("prompts"), PathBuf::from),
    }
}

fn store(part: &Section<'_>, data: &Path) -> Store {
    part.read("url", store_url).map_or_else(|| Store::under(data), |url| Store { url })
}

fn limits(part: &Section<'_>) -> Limits {
    let default = Limits::default();
    let count = |key, default| part.integer(key, 1..=10_000_000u32).map_or(default, |count| count as usize);
    Limits {
        calls: count("calls", default.calls),
        transactions: count("transactions", default.transactions),
        contacts: count("contacts", default.contacts),
        registrations: count("registrations", default.registrations),
        tcp_connections: count("tcp_connections", default.tcp_connections),
        tcp_connections_per_address: count("tcp_connections_per_address", default.tcp_connections_per_address),
        message_bytes: part.read("message_bytes", message_bytes).unwrap_or(default.message_bytes),
    }
}

fn users(tables: &[Node], problems: &Problems) -> Vec<User> {
    let mut names = Once::new("user", "give each user a name of their own");
    let mut numbers = Once::new("number", "give each user a number of their own; a rule may ring several");
    let mut users = Vec::new();
    for table in tables {
        let mut part = Section::open(table, "[[user]]", &USER, problems);
        let name = name(&mut part, "user", user_name, "\"alice\"");
        let number = part.read("number", e164);
        if let Some(name) = &name {
            names.check(name, &part, "name");
        }
        if let Some(number) = &number {
            numbers.check(number, &part, "number");
        }
        let user = User {
            secret: secret(&part),
            number,
            country: part.read("country", country::read),
            display_name: part.word("display_name").map(str::to_owned),
            name: name.unwrap_or_default(),
        };
        users.push(user);
    }
    users
}

fn secret(part: &Section<'_>) -> Secret {
    let password = part.word("password").map(|password| Secret::Password(password.to_owned()));
    let ha1 = part.read("ha1", ha1).map(Secret::Ha1);
    match (part.has("password"), part.has("ha1")) {
        (false, false) => {
            let mend = "add password = \"…\", or ha1 = \"…\" with the MD5 of name:realm:password";
            part.report(part.place(), format!("{} has neither `password` nor `ha1`", part.name()), mend);
        }
        (true, true) => {
            part.report(part.place_of("ha1"), format!("{} has both `password` and `ha1`", part.name()), "keep one");
        }
        _ => {}
    }
    password.or(ha1).unwrap_or(Secret::Password(String::new()))
}

fn trunks(tables: &[Node], problems: &Problems) -> Vec<Trunk> {
    let mut names = Once::new("trunk", "give each trunk a name of its own");
    let mut trunks = Vec::new();
    for table in tables {
        let mut part = Section::open(table, "[[trunk]]", &TRUNK, problems);
        let name = name(&mut part, "trunk", trunk_name, "\"acme\"");
        if let Some(name) = &name {
            names.check(name, &part, "name");
        }
        trunks.push(trunk(&part, name.unwrap_or_default()));
    }
    trunks
}

fn trunk(part: &Section<'_>, name: String) -> Trunk {
    if !part.has("host") {
        part.missing("host", "\"sip.provider.example\"");
    }
    let credentials = trunk_credentials(part);
    let register = part.flag("register").unwrap_or(false);
    if register && !part.has("username") {
        let mend = "add the `username` and `password` that the provider gave you, or remove `register`";
        part.report(part.place_of("register"), format!("{} is to register without a `username`", part.name()), mend);
    }
    Trunk {
        name,
        host: part.read("host", host).unwrap_or_default(),
        port: part.integer("port", 1..=u16::MAX),
        transport: part.read("transport", transport).unwrap_or(TrunkTransport::Udp),
        credentials,
        register,
        expires: part.duration("expires", span(30, 604_800)).unwrap_or(Trunk::EXPIRES),
        domain: part.read("domain", domain),
        codecs: codecs(part).unwrap_or_default(),
        ptime_ms: part.read("ptime", ptime).unwrap_or(Trunk::PTIME_MS),
        country: part.read("country", country::read),
        max_calls: part.integer("max_calls", 1..=1_000_000u32).map(|count| count as usize),
        from: part.list("from", network).unwrap_or_default().into_iter().map(|(network, _)| network).collect(),
    }
}

fn trunk_credentials(part: &Section<'_>) -> Option<TrunkCredentials> {
    let (username, password) = (part.word("username"), part.word("password"));
    match (part.has("username"), part.has("password")) {
        (true, false) => {
            let mend = "add `password`, or remove `username` where the provider knows you by your address";
            part.report(part.place_of("username"), format!("{} has a `username` and no `password`", part.name()), mend);
        }
        (false, true) => {
            let what = format!("{} has a `password` and no `username`", part.name());
            part.report(part.place_of("password"), what, "add `username`");
        }
        _ => {}
    }
    Some(TrunkCredentials { username: username?.to_owned(), password: password?.to_owned() })
}

/// The name of a user or trunk, which from then on stands for its table in what is reported.
fn name(
    part: &mut Section<'_>,
    kind: &str,
    reader: impl FnOnce(&str) -> Result<String, Wrong>,
    example: &str,
) -> Option<String> {
    if !part.has("name") {
        part.missing("name", example);
    }
    let name = part.read("name", reader)?;
    part.rename(format!("{kind} `{name}`"));
    Some(name)
}

/// Names that may be given once.
struct Once {
    kind: &'static str,
    mend: &'static str,
    seen: HashMap<String, Place>,
}

impl Once {
    fn new(kind: &'static str, mend: &'static str) -> Once {
        Once { kind, mend, seen: HashMap::new() }
    }

    fn check(&mut self, name: &str, part: &Section<'_>, key: &str) {
        let place = part.place_of(key);
        if let Some(first) = self.seen.get(name) {
            part.report(place, format!("{} `{name}` is already at {first}", self.kind), self.mend);
        } else {
            self.seen.insert(name.to_owned(), place.clone());
        }
    }
}

/// Two listeners can't have one port of one address, and media can't have any of theirs.
fn clashes(settings: &Settings, sip: &Section<'_>, http: &Section<'_>, media: &Section<'_>) {
    for (key, listeners) in [("udp", &settings.sip.udp), ("tcp", &settings.sip.tcp)] {
        for (i, one) in listeners.iter().enumerate() {
            if listeners[..i].iter().any(|other| overlap(*one, *other)) {
                let what = format!("`{key}`: {one} overlaps with another address of the list");
                sip.report(sip.place_of(key), what, "remove one, or change its port");
            }
        }
    }
    let listen = settings.http.listen;
    if let Some(other) = settings.sip.tcp.iter().find(|other| overlap(listen, **other)) {
        let place = if http.has("listen") { http.place_of("listen") } else { sip.place_of("tcp") };
        http.report(place, format!("HTTP on {listen} and SIP over TCP on {other} want one port"), "change one of them");
    }
    let (first, last) = settings.media.ports;
    if let Some(inside) = settings.sip.udp.iter().find(|address| (first..=last).contains(&address.port())) {
        let place = if media.has("ports") { media.place_of("ports") } else { sip.place_of("udp") };
        let what = format!("SIP over UDP on {inside} is inside the media ports {first}-{last}");
        media.report(place, what, "move one of them");
    }
}

/// Whether two sockets would want the same port. Port 0 is whatever is free.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

fn span(least_seconds: u64, most_seconds: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(least_seconds)..=Duration::from_secs(most_seconds)
}

fn listeners(part: &Section<'_>, key: &str) -> Option<Vec<SocketAddr>> {
    Some(part.list(key, socket_address)?.into_iter().map(|(address, _)| address).collect())
}

fn codecs(part: &Section<'_>) -> Option<Vec<Codec>> {
    let mut found: Vec<Codec> = Vec::new();
    for (codec, place) in part.list("codecs", codec)? {
        if found.contains(&codec) {
            part.report(&place, format!("`codecs` has {} twice", codec.name()), "remove one");
        } else {
            found.push(codec);
        }
    }
    Some(found)
}

fn socket_address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new(
            format!("`{text}` is not an address with a port"),
            "write it like \"0.0.0.0:5060\", \"192.0.2.1:5060\" or \"[::]:5060\"",
        )
    })
}

fn public_address(text: &str) -> Result<IpAddr, Wrong> {
    let address: IpAddr = text.parse().map_err(|_| {
        Wrong::new(format!("`{text}` is not an address"), "write it like \"203.0.113.7\", without a port")
    })?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(Wrong::new(format!("`{text}` can't be sent to"), "write the address that others reach you at"));
    }
    Ok(address)
}

fn network(text: &str) -> Result<Network, Wrong> {
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
        return Err(Wrong::new(
            format!("`{text}` lets the whole world call as this trunk"),
            "name the provider's own addresses",
        ));
    }
    Ok(Network { address, bits })
}

fn ports(text: &str) -> Result<(u16, u16), Wrong> {
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

fn domain(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let address = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if !text.is_empty() && text.len() <= 253 && (text.chars().all(plain) || address.is_ok()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Wrong::new(format!("`{text}` is not a domain"), "write it like \"example.net\", without sip: and port"))
}

fn host(text: &str) -> Result<String, Wrong> {
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

fn user_name(text: &str) -> Result<String, Wrong> {
    // What a SIP address has before its @ without escapes (RFC 3261 §25.1), and no `+`, which begins a number.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '=' | '&');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{text}` can't be a user's name"), "take letters, digits, `-`, `_` and `.`, at most 64"))
}

fn trunk_name(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{text}` can't be a trunk's name"), "take letters, digits, `-`, `_` and `.`, at most 64"))
}

fn e164(text: &str) -> Result<String, Wrong> {
    let digits = text.strip_prefix('+').unwrap_or("");
    if (7..=15).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit()) && !digits.starts_with('0') {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        format!("`{text}` is not a whole number in E.164"),
        "write it like \"+15550100001\"; a short internal number is a rule of the dialplan",
    ))
}

fn ha1(text: &str) -> Result<String, Wrong> {
    if text.len() == 32 && text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Wrong::new("it is not an MD5 sum", "write the 32 hexadecimal digits of MD5(name:realm:password)"))
}

fn transport(text: &str) -> Result<TrunkTransport, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "udp" => Ok(TrunkTransport::Udp),
        "tcp" => Ok(TrunkTransport::Tcp),
        "tls" | "ws" | "wss" => {
            Err(Wrong::new(format!("transport `{text}` comes with a later release"), "write \"udp\" or \"tcp\""))
        }
        _ => Err(Wrong::new(format!("`{text}` is not a transport"), "write \"udp\" or \"tcp\"")),
    }
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
                "G729" | "G.729" | "AMR" | "AMR-WB" | "GSM" | "ILBC" | "SPEEX" => {
                    "it comes with a later release; write PCMU, PCMA, G722, opus, L16/8000, L16/16000 or L16/48000"
                }
                _ => "write PCMU, PCMA, G722, opus, L16/8000, L16/16000 or L16/48000",
            };
            Err(Wrong::new(what, mend))
        }
    }
}

fn ptime(text: &str) -> Result<u32, Wrong> {
    let millis = quantity::duration(text)?.as_millis();
    match u32::try_from(millis) {
        Ok(millis @ (10 | 20 | 30 | 40 | 50 | 60)) => Ok(millis),
        _ => Err(Wrong::new(format!("`{text}` is no packet time"), "choose 10ms, 20ms, 30ms, 40ms, 50ms or 60ms")),
    }
}

fn message_bytes(text: &str) -> Result<usize, Wrong> {
    let bytes = quantity::size(text)?;
    if (4_096..=1 << 20).contains(&bytes) {
        return Ok(bytes);
    }
    Err(Wrong::new(format!("`{text}` is out of range"), "choose from \"4KiB\" to \"1MiB\""))
}

fn store_url(text: &str) -> Result<String, Wrong> {
    let sqlite = "write \"sqlite:data/tandem.db\"";
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Err(Wrong::new("PostgreSQL comes with a later release", sqlite));
    }
    match text.strip_prefix("sqlite:") {
        Some(path) if !path.trim_start_matches('/').is_empty() => Ok(text.to_owned()),
        _ => Err(Wrong::new(format!("`{text}` is not a store"), sqlite)),
    }
}
