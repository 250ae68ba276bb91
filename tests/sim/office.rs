//! The gateway's configuration: who has which phones, which trunks there are, and the dialplan.

use crate::profile::Profile;
use crate::sound::tone;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tandem::base::chance::Chance;
use tandem::call::account::forwarding::Forwarding;
use tandem::call::account::{Account, Accounts};
use tandem::config::settings::{Settings, Trunk, TrunkCredentials, TrunkTransport};
use tandem::dialplan::directory::PlanUser;
use tandem::dialplan::plan::{Plan, PlanContext};
use tandem::media::command::Clip;
use tandem::sip::digest::Hashes;

pub const DOMAIN: &str = "tandem.test";
pub const GATEWAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
pub const PASSWORD: &str = "open sesame";
pub const ACME_USER: &str = "4711";
/// Who has no manners.
pub const BOOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 40)), 5060);
pub const MAX_CALLS: usize = 120;
/// The limit of globex, before reloads add up to two.
pub const GLOBEX_CALLS: usize = 6;

/// Users with one phone each, and then one with three and one with none.
pub const SINGLES: usize = 8;
pub const TRIO: &str = "trio";
pub const NOBODY_HOME: &str = "absent";

const PLAN: &str = r#"
[[rule]]
name = "Echo"
number = "*43"
to = [{ echo = true }]

[[rule]]
name = "Room"
number = "*88X"
to = [{ conference = "88-{1}" }]

[[rule]]
name = "Clock"
number = "*60"
to = [{ play = "clock.wav" }]

[[rule]]
name = "Music"
number = "*61"
to = [{ play = "music.wav", repeat = true }]

[[rule]]
name = "Missing"
number = "*62"
to = [{ play = "missing.wav" }]

[[rule]]
name = "Forward no longer"
number = "*73"
to = [{ forward = "always" }]

[[rule]]
name = "Barred"
number = "*99"
to = [{ reject = 603, reason = "Barred" }]

[[rule]]
name = "People"
from = ["users", "trunks"]
dialled = "user"
to = [{ user = "{user}" }]

[[rule]]
name = "Hunt"
number = "70"
to = [{ user = "absent" }, { user = "user2" }, { user = "trio" }]

[[rule]]
name = "By acme"
from = ["users"]
number = "1."
to = [{ trunk = "acme" }]

[[rule]]
name = "By acme, then globex, then a phone"
from = ["users"]
number = "2."
to = [{ trunk = "acme", next_on = [404] }, { trunk = "globex" }, { user = "user3" }]

[[rule]]
name = "Over a dead trunk"
from = ["users"]
number = "3."
to = [{ trunk = "void" }, { trunk = "globex" }]

[[rule]]
name = "By boor"
from = ["users"]
number = "5."
to = [{ trunk = "boor" }, { trunk = "globex" }]

[[rule]]
name = "By globex"
from = ["users"]
number = "4."
to = [{ trunk = "globex" }]
"#;

pub fn users() -> Vec<String> {
    let singles = (1..=SINGLES).map(|number| format!("user{number}"));
    singles.chain([TRIO.to_owned(), NOBODY_HOME.to_owned()]).collect()
}

/// The direct number of a user.
pub fn number_of(user: &str) -> String {
    let index = users().iter().position(|known| known == user).unwrap_or_default();
    format!("+1555010{:04}", 100 + index)
}

pub fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, last], 5060))
}

/// Where the trunks are; nobody is at void.
pub fn trunk_addresses() -> BTreeMap<String, SocketAddr> {
    let at = |last: u8| SocketAddr::from(([203, 0, 113, last], 5060));
    let hosts = [("sip.acme.test", 10), ("sip.globex.test", 20), ("sip.void.test", 30), ("sip.boor.test", 40)];
    hosts.into_iter().map(|(host, last)| (host.to_owned(), at(last))).collect()
}

/// The host with a further server, and the address of that, where nobody is.
pub const TWO_SERVERS: &str = "sip.globex.test";
pub const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 31));

/// `variant` changes what a reload may change: the limit of a trunk or whether it is there, and how long a phone rings.
pub fn settings(variant: u64, profile: &Profile) -> Settings {
    let mut settings = Settings::default();
    settings.sip.domain = DOMAIN.to_owned();
    settings.sip.udp = vec![GATEWAY];
    settings.sip.tcp = vec![GATEWAY];
    settings.sip.ring_timeout = Duration::from_secs(if variant.is_multiple_of(2) { 45 } else { 30 });
    settings.sip.registration_default = Duration::from_secs(600);
    settings.limits.calls = MAX_CALLS;
    settings.media.silence_timeout = Duration::from_secs(30);
    settings.media.hold_timeout = Duration::from_secs(600);
    settings.media.hold_music = profile.music.then(|| "music.wav".to_owned());
    settings.sip.dialog_interval = Duration::from_secs(120);
    let acme = Trunk {
        credentials: Some(TrunkCredentials { username: ACME_USER.to_owned(), password: PASSWORD.to_owned() }),
        register: true,
        expires: Duration::from_secs(120),
        transport: if profile.trunk_connects { Some(TrunkTransport::Tcp) } else { None },
        ..Trunk::named("acme", "sip.acme.test")
    };
    let globex =
        Trunk { max_calls: Some(GLOBEX_CALLS + variant as usize % 3), ..Trunk::named("globex", "sip.globex.test") };
    settings.trunks = vec![acme, globex, Trunk::named("void", "sip.void.test"), Trunk::named("boor", "sip.boor.test")];
    if variant % 4 == 3 {
        settings.trunks.retain(|trunk| trunk.name != "globex");
    }
    settings
}

pub fn plan(settings: &Settings) -> Plan {
    let user = |name: String| PlanUser { number: Some(number_of(&name)), name, country: None };
    let context = PlanContext { users: users().into_iter().map(user).collect(), ..PlanContext::of(settings) };
    let text = match settings.trunks.iter().any(|trunk| trunk.name == "globex") {
        true => PLAN.to_owned(),
        false => PLAN.replace("\"globex\"", "\"acme\""),
    };
    Plan::parse(&[("simulated.toml".to_owned(), text)], &context)
        .unwrap_or_else(|problems| panic!("the simulated plan: {problems:?}"))
}

/// The one who isn't a user any more after some reloads.
pub const LEAVER: &str = "user8";

pub fn accounts(variant: u64) -> Arc<Accounts> {
    let account = |name: String| Account {
        number: Some(number_of(&name)),
        country: None,
        display_name: None,
        hashes: Hashes::from_password(&name, DOMAIN, PASSWORD),
        forwarding: forwarding(&name),
        name,
    };
    let stays = |user: &String| user != LEAVER || variant % 3 != 2;
    Arc::new(Accounts::new(users().into_iter().filter(stays).map(account)))
}

/// Who sends calls on that find them busy.
pub const FORWARDING: [&str; 2] = ["user1", "user4"];

/// Who is never there sends calls on, and so do two others, when busy and without answer.
fn forwarding(user: &str) -> Forwarding {
    let to = |name: &str| Some(name.to_owned());
    match user {
        NOBODY_HOME => Forwarding { no_answer: to(TRIO), ..Forwarding::default() },
        "user1" => Forwarding { busy: to("user4"), ..Forwarding::default() },
        "user4" => Forwarding { busy: to("user1"), ..Forwarding::default() },
        "user5" => Forwarding { no_answer: to("70"), after: Some(Duration::from_secs(5)), ..Forwarding::default() },
        _ => Forwarding::default(),
    }
}

/// What every other file holds, made once.
static CLIP: OnceLock<Arc<Clip>> = OnceLock::new();

pub fn clip(file: &str) -> Result<Arc<Clip>, String> {
    match file {
        "missing.wav" => Err("no such file".to_owned()),
        _ => Ok(Arc::clone(CLIP.get_or_init(|| Arc::new(Clip { rate: 8_000, samples: tone(8_000, 16_000) })))),
    }
}

/// What a phone dials.
pub fn dialled(chance: &mut Chance) -> String {
    match chance.below(22) {
        0 => ["*43", "*73", "*881", "*882"][chance.below(4) as usize].to_owned(),
        1 => "*60".to_owned(),
        // An endless clip has much to play.
        2 if chance.below(4) == 0 => "*61".to_owned(),
        3 => ["*62", "*99", NOBODY_HOME, "nobody"][chance.below(4) as usize].to_owned(),
        4 => "70".to_owned(),
        5 => number_of(&format!("user{}", 1 + chance.below(SINGLES as u64))),
        6..9 => TRIO.to_owned(),
        9..11 => format!("1{}", 1_000 + chance.below(9_000)),
        11..13 => format!("2{}", 1_000 + chance.below(9_000)),
        13 => format!("3{}", 1_000 + chance.below(9_000)),
        2 | 14 => format!("4{}", 1_000 + chance.below(9_000)),
        _ => format!("user{}", 1 + chance.below(SINGLES as u64)),
    }
}
