//! Reads the configuration from where it is kept.

use crate::config::document::{self, Node};
use crate::config::layers;
use crate::config::problem::{Place, Problem, Problems};
use crate::config::reading;
use crate::config::settings::Settings;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Where the configuration is when nobody names a file. It need not exist.
pub const DEFAULT_FILE: &str = "tandem.toml";

/// A larger file is no configuration.
const MAX_BYTES: u64 = 4 << 20;

/// The settings: built-in defaults, over them the file, over it the environment (`TANDEM__SIP__DOMAIN`).
///
/// Without a `path`, `tandem.toml` is read if it is there; a file that was named has to exist. Every mistake is
/// answered, not only the first.
pub fn load(path: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Settings, Vec<Problem>> {
    let (settings, problems) = examine(path, env);
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// As [`load`], with the settings whatever is wrong, each wrong one at its default: what depends on them, such as the
/// dialplan, can then be checked in the same visit.
pub fn examine(path: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> (Settings, Vec<Problem>) {
    let problems = Problems::default();
    let file = read(path, &problems);
    let merged = layers::merge(&file, env, &problems);
    let settings = reading::settings(&merged, &problems);
    (settings, problems.into_sorted())
}

/// A `tandem.toml` in which every setting stands with its default, commented out.
pub fn sample() -> &'static str {
    include_str!("sample.toml")
}

fn read(path: Option<&Path>, problems: &Problems) -> Node {
    let named = path.unwrap_or(Path::new(DEFAULT_FILE));
    let file = named.display().to_string();
    let place = Place { file: file.clone(), line: None };
    match bounded(named) {
        Ok(text) => document::parse(&file, &text, problems),
        Err(error) => {
            if path.is_some() || error.kind() != io::ErrorKind::NotFound {
                let mend = "name a file that can be read, or none for the defaults";
                problems.report(&place, format!("can't be read: {error}"), mend);
            }
            Node::empty(place)
        }
    }
}

fn bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it has more than 4 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{ClientCertificate, Relayed, Secret, TrunkTransport};
    use std::time::Duration;
    use tandem_codecs::Codec;

    fn load_text(text: &str, env: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        fs::write(&path, text).unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(Some(&path), env).map_err(|problems| {
            let folder = format!("{}/", folder.path().display());
            problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
        })
    }

    fn problems(text: &str) -> Vec<String> {
        load_text(text, &[]).unwrap_err()
    }

    #[test]
    fn an_empty_file_is_a_working_gateway() {
        assert_eq!(load_text("", &[]).unwrap(), Settings::default());
    }

    #[test]
    fn a_file_that_was_named_has_to_exist() {
        let problems = load(Some(Path::new("no/such.toml")), std::iter::empty()).unwrap_err();
        assert!(problems[0].to_string().starts_with("no/such.toml: can't be read: "), "{problems:?}");
    }

    #[test]
    fn the_sample_says_what_the_defaults_are() {
        assert_eq!(load_text(sample(), &[]).unwrap(), Settings::default());
        let examples = ["dialplan", "country", "public_address", "dns", "tls", "certificate", "key", "origins"];
        let live: String = sample()
            .lines()
            .take_while(|line| !line.starts_with("#[["))
            .map(|line| line.strip_prefix('#').filter(|rest| rest.contains(" = ")).unwrap_or(line))
            .filter(|line| !examples.iter().any(|key| line.starts_with(key)))
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(live.contains("\nudp = "), "{live}");
        assert_eq!(load_text(&live, &[]).unwrap(), Settings::default());
    }

    #[test]
    fn the_whole_sample_is_legal_without_its_comment_signs() {
        let live: String = sample()
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
            .map(|line| format!("{line}\n"))
            .collect();
        let settings = load_text(&live, &[]).unwrap();
        assert_eq!(settings.users.len(), 1);
        assert_eq!(settings.trunks[0].credentials.as_ref().unwrap().username, "4711");
    }

    #[test]
    fn the_tour_is_read_but_for_what_comes_later() {
        let text = r#"
dialplan = "dialplans/office.toml"
[sip]
domain = "example.net"
udp = ["0.0.0.0:5060"]
tcp = ["0.0.0.0:5060"]
tls = ["0.0.0.0:5061"]
[http]
listen = "0.0.0.0:8080"
[media]
ports = "20000-29999"
public_address = "203.0.113.7"
[store]
url = "sqlite:data/tandem.db"
[[user]]
name = "alice"
password = "secret"
number = "+15550100001"
[[trunk]]
name = "acme"
host = "sip.acme.example"
username = "4711"
password = "x"
register = true
codecs = ["PCMA", "g729", "PCMU"]
country = "GB"
max_calls = 30
[[trunk]]
name = "lab"
host = "127.0.0.2"
transport = "tcp"
from = ["10.0.0.0/8", "::1"]
"#;
        let settings = load_text(text, &[]).unwrap();
        assert_eq!(settings.sip.domain, "example.net");
        assert_eq!(settings.users[0].secret, Secret::Password("secret".into()));
        assert_eq!(settings.trunks[0].codecs, [Codec::Pcma, Codec::Pcmu]);
        assert_eq!(settings.trunks[0].relayed, [Relayed { name: "G729", place: 1 }]);
        assert_eq!(settings.trunks[0].ptime_ms, 20);
        assert!(settings.trunks[0].register);
        assert_eq!(settings.trunks[1].transport, Some(TrunkTransport::Tcp));
        assert_eq!(settings.trunks[1].from.len(), 2);
        assert!(settings.trunks[1].credentials.is_none());

        let text =
            text.replace("tls = [", "key = \"k.pem\"\ntls = [").replace("sqlite:data/tandem.db", "postgres://db/t");
        assert_eq!(
            problems(&text),
            [
                "t.toml:7: [sip] has a `key` and no `certificate`; add `certificate` with the path of its PEM file",
                "t.toml:15: `url`: PostgreSQL comes with a later release; write \"sqlite:data/tandem.db\"",
            ]
        );
    }

    #[test]
    fn certificates_of_trunks_and_listeners() {
        let text = r#"
[sip]
tls = ["127.0.0.1:5061"]
certificate = "a.pem"
key = "a.key"
[[trunk]]
name = "one"
host = "sip.example"
transport = "tls"
ca = "roots.pem"
client_certificate = "required"
[[trunk]]
name = "two"
host = "SIP.example"
transport = "tls"
ca = "roots.pem"
"#;
        let at_one_place = "t.toml:14: trunk `two` is at the same place as trunk `one`, with other certificates; give both the same `ca`, `certificate`, `key` and `client_certificate`";
        assert_eq!(problems(text), [at_one_place]);
        let settings = load_text(&text.replace("SIP.example", "other.example"), &[]).unwrap();
        assert_eq!(settings.sip.certificate.unwrap().key, Path::new("a.key"));
        assert_eq!(settings.trunks[0].tls.client_certificate, ClientCertificate::Required);
        let clash = load_text("[sip]\ntls = [\"0.0.0.0:5060\"]\n[http]\ntls = \"127.0.0.1:8080\"\n", &[]).unwrap_err();
        assert_eq!(clash.len(), 2, "{clash:?}");
    }

    #[test]
    fn every_mistake_is_answered_with_its_line_and_mend() {
        let text = r#"dialpaln = "x"
[sip]
domian = "a"
domain = "sip:a b"
udp = ["0.0.0.0", "0.0.0.0:7000", "127.0.0.1:7000"]
t1 = "fast"
country = "UK"
[spi]
[media]
ports = "20001-20002"
workers = 0
silence_timeout = 60
codecs = ["PCMU", "G729", "pcmu"]
[limits]
message_bytes = "64K"
[[user]]
name = "al ice"
password = "p"
[[user]]
name = "bob"
number = "101"
[[user]]
name = "bob"
password = "p"
ha1 = "xyz"
[[trunk]]
name = "acme"
hots = "h"
register = true
from = ["0.0.0.0/0", "1.2.3.4/33", "me"]
transport = "sctp"
ptime = "25ms"
[[trunk]]
name = "acme"
host = "h:5080"
username = "u"
port = 70000
"#;
        assert_eq!(
            problems(text),
            [
                "t.toml:1: unknown key `dialpaln` in the configuration; did you mean `dialplan`?",
                "t.toml:3: unknown key `domian` in [sip]; did you mean `domain`?",
                "t.toml:4: `domain`: `sip:a b` is not a domain; write it like \"example.net\", without sip: and port",
                "t.toml:5: `udp`: 127.0.0.1:7000 overlaps with another address of the list; remove one, or change its port",
                "t.toml:5: `udp`: `0.0.0.0` is not an address with a port; write it like \"0.0.0.0:5060\", \"192.0.2.1:5060\" or \"[::]:5060\"",
                "t.toml:6: `t1`: `fast` is not a duration; write it like \"500ms\", \"30s\", \"5m\", \"1h30m\" or \"0\"",
                "t.toml:7: `country`: `UK` is no country whose numbering plan is known; the United Kingdom is \"GB\"",
                "t.toml:8: unknown key `spi` in the configuration; did you mean `sip`?",
                "t.toml:10: `ports`: `20001-20002` starts at an odd port, and RTP takes the even ones; start at 20002",
                "t.toml:11: `workers` = 0 is out of range; choose from 1 to 256",
                "t.toml:12: `silence_timeout` in [media] is a whole number; write a text in quotes",
                "t.toml:13: `codecs` has PCMU twice; remove one",
                "t.toml:13: `codecs`: unknown codec `G729`; we don't have it, and pass it on where both sides of a call do; name it in the list of a trunk",
                "t.toml:15: `message_bytes`: `64K` is not a size; write it like \"64KiB\", \"1MB\" or \"512B\"",
                "t.toml:17: `name`: `al ice` can't be a user's name; take letters, digits, `-`, `_` and `.`, at most 64",
                "t.toml:19: user `bob` has neither `password` nor `ha1`; add password = \"…\", or ha1 = \"…\" with the MD5 of name:realm:password",
                "t.toml:21: `number`: `101` is not a whole number in E.164; write it like \"+15550100001\"; a short internal number is a rule of the dialplan",
                "t.toml:23: user `bob` is already at t.toml:20; give each user a name of their own",
                "t.toml:25: `ha1`: it is not an MD5 sum; write the 32 hexadecimal digits of MD5(name:realm:password)",
                "t.toml:25: user `bob` has both `password` and `ha1`; keep one",
                "t.toml:26: trunk `acme` has no `host`; add host = \"sip.provider.example\"",
                "t.toml:28: unknown key `hots` in [[trunk]]; did you mean `host`?",
                "t.toml:29: trunk `acme` is to register without a `username`; add the `username` and `password` that the provider gave you, or remove `register`",
                "t.toml:30: `from`: `0.0.0.0/0` is the whole world; name the networks that are meant",
                "t.toml:30: `from`: `1.2.3.4/33` is not an address or a network; write it like \"192.0.2.10\", \"192.0.2.0/24\" or \"2001:db8::/32\"",
                "t.toml:30: `from`: `me` is not an address or a network; write it like \"192.0.2.10\", \"192.0.2.0/24\" or \"2001:db8::/32\"",
                "t.toml:31: `transport`: `sctp` is not a transport of trunks; write \"udp\", \"tcp\" or \"tls\"",
                "t.toml:32: `ptime`: `25ms` is no packet time; choose 10ms, 20ms, 30ms, 40ms, 50ms or 60ms",
                "t.toml:34: trunk `acme` is already at t.toml:27; give each trunk a name of its own",
                "t.toml:35: `host`: `h:5080` has a port; write host = \"h\" and port = 5080",
                "t.toml:36: trunk `acme` has a `username` and no `password`; add `password`, or remove `username` where the provider knows you by your address",
                "t.toml:37: `port` = 70000 is out of range; choose from 1 to 65535",
            ]
        );
    }

    #[test]
    fn sessions_last_no_shorter_than_peers_may_ask_for() {
        let text = "[sip]\nsession_expires = \"2m\"\nmin_se = \"5m\"\n[[trunk]]\nname = \"a\"\nhost = \"h\"\n\
                    prack = \"always\"\nmin_se = \"1m\"\nsession_expires = \"0\"\n";
        assert_eq!(
            problems(text),
            [
                "t.toml:2: sessions last 2m, shorter than the 5m that peers have to ask for; let min_se <= session_expires",
                "t.toml:7: `prack`: `always` is no use of PRACK; write \"supported\", \"required\" or \"never\"",
                "t.toml:8: `min_se`: `1m` is out of range; choose from \"1m30s\" to \"1d\"",
            ]
        );
    }

    #[test]
    fn the_environment_is_the_last_word() {
        let env = [
            ("TANDEM__SIP__DOMAIN", "b.example"),
            ("TANDEM__SIP__UDP", "127.0.0.1:0, [::1]:0"),
            ("TANDEM__MEDIA__WORKERS", "2"),
            ("TANDEM__DATA", "/var/lib/tandem"),
            ("TANDEM__MEDIA__SILENCE_TIMEOUT", "0"),
        ];
        let settings = load_text("[sip]\ndomain = \"a.example\"\n", &env).unwrap();
        assert_eq!(settings.sip.domain, "b.example");
        assert_eq!(settings.sip.udp.len(), 2);
        assert_eq!(settings.media.workers, 2);
        assert_eq!(settings.media.silence_timeout, Duration::ZERO);
        assert_eq!(settings.store.url, "sqlite:/var/lib/tandem/tandem.db");
        assert_eq!(settings.media.prompts, Path::new("/var/lib/tandem/prompts"));

        let wrong = load_text("", &[("TANDEM__SIP__DOMIAN", "x"), ("TANDEM__HTTP__LISTEN", "8080")]).unwrap_err();
        assert_eq!(
            wrong,
            [
                "environment TANDEM__HTTP__LISTEN: `listen`: `8080` is not an address with a port; write it like \"0.0.0.0:5060\", \"192.0.2.1:5060\" or \"[::]:5060\"",
                "environment TANDEM__SIP__DOMIAN: unknown key `domian` in [sip]; did you mean `domain`?",
            ]
        );
    }

    #[test]
    fn listeners_do_not_share_a_port() {
        assert_eq!(
            problems("[http]\nlisten = \"127.0.0.1:5060\"\n[media]\nports = \"5000-6000\"\n"),
            [
                "t.toml:2: HTTP on 127.0.0.1:5060 and SIP over TCP on 0.0.0.0:5060 want one port; change one of them",
                "t.toml:4: SIP over UDP on 0.0.0.0:5060 is inside the media ports 5000-6000; move one of them",
            ]
        );
        assert_eq!(
            problems("[sip]\nudp = []\ntcp = []\nregistration_min = \"1h\"\n"),
            [
                "t.toml:2: nothing listens for SIP; give `udp`, `tcp` or `tls` an address",
                "t.toml:4: registrations last 10m by default, outside of 1h to 1h; let registration_min <= registration_default <= registration_max",
            ]
        );
    }

    #[test]
    fn a_user_is_a_table_of_a_list() {
        assert_eq!(
            problems("[user]\nname = \"a\"\n"),
            ["t.toml:1: `user` is a table; start each with a line [[user]]"]
        );
        assert_eq!(problems("sip = 5\n"), ["t.toml:1: [sip] is a whole number; write it as a table"]);
        assert_eq!(problems("data = \"x\"\ndata = \"y\"\n").len(), 1);
    }

    #[test]
    fn what_is_right_is_read_beside_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        fs::write(&path, "[sip]\ndomain = \"a.example\"\nt1 = \"fast\"\n").unwrap();
        let (settings, problems) = examine(Some(&path), std::iter::empty());
        assert_eq!((settings.sip.domain.as_str(), problems.len()), ("a.example", 1));
        assert_eq!(settings.sip.t1, Settings::default().sip.t1);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(
            text in "\\PC{0,80}",
            part in "(sip|http|media|store|limits|\\[user\\]|\\[trunk\\])",
            key in "(domain|udp|listen|ports|codecs|url|calls|message_bytes|name|from|host|ptime|ha1|country|t1)",
            value in "[\"\\[{]?[0-9a-zA-Z.:/+-]{0,12}[\"\\]}]?",
        ) {
            let problems = Problems::default();
            for text in [text, format!("[{part}]\n{key} = {value}\n"), format!("[{part}]\n{key} = \"{value}\"\n")] {
                let file = document::parse("t.toml", &text, &problems);
                let merged = layers::merge(&file, std::iter::empty(), &problems);
                reading::settings(&merged, &problems);
            }
        }
    }
}
