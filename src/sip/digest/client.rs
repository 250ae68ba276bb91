//! The client's side: an answer to what a trunk or a registrar asks for.

use crate::base::chance::Chance;
use crate::sip::digest::hash::{Calculation, Hashes, Qop, Variant};
use crate::wire::sip::{Challenge, Message, Name, challenges, quote};
use std::fmt;

/// Characters of a client nonce: 100 bits.
const CNONCE: usize = 20;

/// Proxies on one way that may each ask who we are.
const MAX_PROXIES: usize = 4;

/// Who we are to a peer.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    pub username: String,
    pub password: String,
    /// Where given, challenges of other realms stay unanswered, so that nobody else can collect responses.
    pub realm: Option<String>,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCredentials({}, …)", self.username)
    }
}

/// Why a challenge stays unanswered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DigestError {
    /// There is no Digest challenge with an algorithm and a quality of protection that we have.
    Unsupported,
    /// All challenges come from other realms than the one that the credentials are for.
    OtherRealm { realm: String },
    /// The username, the URI or the challenge holds a control character.
    ControlCharacter,
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DigestError::Unsupported => f.write_str("no challenge that can be answered with MD5 or SHA-256 digest"),
            DigestError::OtherRealm { realm } => {
                write!(f, "challenged by realm {realm:?}, which the password is not for")
            }
            DigestError::ControlCharacter => f.write_str("a control character in the username or the challenge"),
        }
    }
}

impl std::error::Error for DigestError {}

/// The value of `Authorization` or `Proxy-Authorization` for the strongest of `challenges` that we can answer, which are
/// values of `WWW-Authenticate` or `Proxy-Authenticate`.
///
/// `uri` is the Request-URI; `nc` counts the requests with this nonce from 1, and `cnonce` is chance.
pub fn answer<'a>(
    challenges: impl Iterator<Item = &'a str>,
    credentials: &ClientCredentials,
    method: &str,
    uri: &str,
    body: &[u8],
    nc: u32,
    cnonce: &str,
) -> Result<String, DigestError> {
    let asked = Asked::strongest(challenges, credentials)?;
    asked.answer(credentials, method, uri, body, nc, cnonce)
}

/// Answers the challenges of one peer, and gives later requests their credentials at once while the nonce holds.
pub struct Responder {
    credentials: ClientCredentials,
    /// What the registrar asked last, and what each proxy on the way there, with how often it was answered.
    registrar: Option<(Asked, u32)>,
    proxies: Vec<(Asked, u32)>,
}

impl Responder {
    pub fn new(credentials: ClientCredentials) -> Responder {
        Responder { credentials, registrar: None, proxies: Vec::new() }
    }

    /// Reads the challenges of a 401 or a 407. True where they say that only the nonce was old.
    pub fn challenged(&mut self, message: &Message) -> Result<bool, DigestError> {
        let is_proxy = message.status() == 407;
        if !is_proxy {
            self.registrar = None;
        }
        let asked = self.asked(message)?;
        let stale = asked.stale;
        if is_proxy {
            // Each proxy on the way asks for credentials in its own realm (RFC 3261 §22.3).
            self.proxies.retain(|(known, _)| known.realm != asked.realm);
            self.proxies.truncate(MAX_PROXIES - 1);
            self.proxies.push((asked, 0));
        } else {
            self.registrar = Some((asked, 0));
        }
        Ok(stale)
    }

    fn asked(&self, message: &Message) -> Result<Asked, DigestError> {
        let name = if message.status() == 407 { Name::ProxyAuthenticate } else { Name::WwwAuthenticate };
        let challenges = message.fields().filter(|field| field.kind() == name).map(|field| field.value());
        Asked::strongest(challenges, &self.credentials)
    }

    /// The header fields that the next request carries; none before the first challenge.
    pub fn headers(
        &mut self,
        method: &str,
        uri: &str,
        body: &[u8],
        chance: &mut Chance,
    ) -> Result<Vec<(Name, String)>, DigestError> {
        let registrar = self.registrar.iter_mut().map(|asked| (Name::Authorization, asked));
        let proxies = self.proxies.iter_mut().map(|asked| (Name::ProxyAuthorization, asked));
        let mut headers = Vec::new();
        for (name, (asked, count)) in registrar.chain(proxies) {
            *count = count.saturating_add(1);
            let value = asked.answer(&self.credentials, method, uri, body, *count, &chance.token(CNONCE))?;
            headers.push((name, value));
        }
        Ok(headers)
    }
}

/// One challenge that we can answer.
#[derive(Clone, Debug)]
struct Asked {
    variant: Variant,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    qop: Option<Qop>,
    stale: bool,
}

impl Asked {
    fn strongest<'a>(
        values: impl Iterator<Item = &'a str>,
        credentials: &ClientCredentials,
    ) -> Result<Asked, DigestError> {
        let mut best: Option<Asked> = None;
        let mut other = None;
        let readable = values.flat_map(challenges).flatten();
        for asked in readable.filter_map(|challenge| Asked::read(&challenge)) {
            if credentials.realm.as_deref().is_some_and(|realm| realm != asked.realm) {
                other = Some(asked.realm);
            } else if best.as_ref().is_none_or(|best| asked.variant > best.variant) {
                best = Some(asked);
            }
        }
        match (best, other) {
            (Some(asked), _) => asked.check(credentials),
            (None, Some(realm)) => Err(DigestError::OtherRealm { realm }),
            (None, None) => Err(DigestError::Unsupported),
        }
    }

    fn read(challenge: &Challenge<'_>) -> Option<Asked> {
        if !challenge.is_digest() {
            return None;
        }
        let qop = match challenge.get("qop") {
            // Plain `auth` where there is a choice, as a proxy between us may touch the body.
            Some(list) => {
                let known = || list.split(',').filter_map(|name| Qop::from_name(name.trim()));
                Some(known().find(|&qop| qop == Qop::Auth).or_else(|| known().next())?)
            }
            None => None,
        };
        Some(Asked {
            variant: Variant::from_name(challenge.get("algorithm").as_deref())?,
            realm: challenge.get("realm")?.into_owned(),
            nonce: challenge.get("nonce")?.into_owned(),
            opaque: challenge.get("opaque").map(|opaque| opaque.into_owned()),
            qop,
            stale: challenge.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// A control character would be altered on its way, and the response would not fit; none can be meant well.
    fn check(self, credentials: &ClientCredentials) -> Result<Asked, DigestError> {
        let opaque = self.opaque.as_deref().unwrap_or_default();
        let texts = [credentials.username.as_str(), &self.realm, &self.nonce, opaque];
        let bad = texts.iter().any(|text| text.chars().any(char::is_control));
        if bad { Err(DigestError::ControlCharacter) } else { Ok(self) }
    }

    fn answer(
        &self,
        credentials: &ClientCredentials,
        method: &str,
        uri: &str,
        body: &[u8],
        nc: u32,
        cnonce: &str,
    ) -> Result<String, DigestError> {
        if [uri, cnonce].iter().any(|text| text.chars().any(char::is_control)) {
            return Err(DigestError::ControlCharacter);
        }
        let hashes = Hashes::from_password(&credentials.username, &self.realm, &credentials.password);
        let nc = format!("{nc:08x}");
        let calculation = Calculation {
            variant: self.variant,
            method,
            uri,
            nonce: &self.nonce,
            qop: self.qop,
            nc: &nc,
            cnonce,
            body,
        };
        let response = calculation.response(hashes.of(self.variant.algorithm).unwrap_or_default());
        Ok(self.write(credentials, &calculation, &response))
    }

    /// Which parameters are quoted and which are not is as RFC 7616 §3.4 has it.
    fn write(&self, credentials: &ClientCredentials, calculation: &Calculation<'_>, response: &str) -> String {
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\", algorithm={}",
            quote(&credentials.username),
            quote(&self.realm),
            quote(&self.nonce),
            quote(calculation.uri),
            self.variant.as_str(),
        );
        if let Some(qop) = self.qop {
            let (nc, cnonce) = (calculation.nc, quote(calculation.cnonce));
            value += &format!(", qop={}, nc={nc}, cnonce={cnonce}", qop.as_str());
        } else if self.variant.session {
            value += &format!(", cnonce={}", quote(calculation.cnonce));
        }
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque={}", quote(opaque));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sip::{Credentials, Writer};

    fn mufasa(realm: Option<&str>) -> ClientCredentials {
        let (username, password) = ("Mufasa".to_owned(), "Circle of Life".to_owned());
        ClientCredentials { username, password, realm: realm.map(str::to_owned) }
    }

    const RFC_7616: [&str; 2] = [
        r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5,
           nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
           opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
        r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,
           nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
           opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
    ];

    fn answer_one(challenge: &str) -> Result<String, DigestError> {
        answer([challenge].into_iter(), &mufasa(None), "REGISTER", "sip:a", b"", 1, "c")
    }

    #[test]
    fn rfc_7616_section_3_9_1_is_answered_with_the_stronger() {
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let get = |challenges: &[&'static str]| {
            let challenges = challenges.iter().map(|text| text.replace('\n', " ")).collect::<Vec<_>>();
            let challenges = challenges.iter().map(String::as_str);
            answer(challenges, &mufasa(None), "GET", "/dir/index.html", b"", 1, cnonce).unwrap()
        };
        let both = get(&RFC_7616);
        let read = Credentials::parse(&both).unwrap();
        let text = |name: &str| read.get(name).unwrap().into_owned();
        assert_eq!(text("response"), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
        assert_eq!(text("opaque"), "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS");
        assert_eq!((text("algorithm"), text("nc"), text("qop")), ("SHA-256".into(), "00000001".into(), "auth".into()));
        let md5 = get(&RFC_7616[..1]);
        let read = Credentials::parse(&md5).unwrap();
        assert_eq!(read.get("response").as_deref(), Some("8ca523f5e9506fed4657c9700eebdbec"));
    }

    #[test]
    fn several_challenges_in_one_field_are_found() {
        let field = r#"Basic realm="a", Digest realm="b", nonce="1", Digest realm="b", nonce="2", algorithm=SHA-256"#;
        assert!(answer_one(field).unwrap().contains("algorithm=SHA-256"));
    }

    #[test]
    fn what_we_do_not_have_is_not_answered() {
        for challenge in [
            "",
            "Basic realm=\"a\"",
            "Digest realm=\"a\"",
            "Digest realm=\"a\", nonce=\"1\", algorithm=SHA-512-256",
            "Digest realm=\"a\", nonce=\"1\", qop=\"privacy\"",
            "NTLM",
        ] {
            assert_eq!(answer_one(challenge), Err(DigestError::Unsupported), "{challenge}");
        }
    }

    #[test]
    fn another_realm_gets_nothing() {
        let challenge = "Digest realm=\"evil\", nonce=\"1\"";
        let answered = |realm| answer([challenge].into_iter(), &mufasa(realm), "INVITE", "sip:a", b"", 1, "c");
        assert_eq!(answered(Some("good")), Err(DigestError::OtherRealm { realm: "evil".to_owned() }));
        assert!(answered(Some("evil")).is_ok());
        assert!(answered(None).is_ok());
    }

    #[test]
    fn auth_int_only_and_no_qop_are_answered_as_asked() {
        let value = answer_one("Digest realm=\"a\", nonce=\"1\", qop=\"auth-int\"").unwrap();
        assert!(value.contains("qop=auth-int, nc=00000001, cnonce=\"c\""), "{value}");
        let value = answer_one("Digest realm=\"a\", nonce=\"1\"").unwrap();
        assert!(!value.contains("qop") && !value.contains("nc=") && !value.contains("cnonce"), "{value}");
    }

    #[test]
    fn nothing_can_be_injected() {
        let challenge = r#"Digest realm="a\"b\\", nonce="n\", x=\"y", opaque="\"""#;
        let value = answer_one(challenge).unwrap();
        let read = Credentials::parse(&value).unwrap();
        assert_eq!(read.get("realm").as_deref(), Some(r#"a"b\"#));
        assert_eq!(read.get("nonce").as_deref(), Some(r#"n", x="y"#));
        assert_eq!(read.get("opaque").as_deref(), Some("\""));
        assert_eq!(read.get("x"), None);
        let control = "Digest realm=\"a\r\nX: y\", nonce=\"1\"";
        assert_eq!(answer_one(control), Err(DigestError::ControlCharacter));
        let user = ClientCredentials { username: "a\nb".to_owned(), ..mufasa(None) };
        let challenge = "Digest realm=\"a\", nonce=\"1\"";
        let answered = answer([challenge].into_iter(), &user, "INVITE", "sip:a", b"", 1, "c");
        assert_eq!(answered, Err(DigestError::ControlCharacter));
    }

    #[test]
    fn a_responder_counts_and_answers_proxy_and_registrar() {
        let mut chance = Chance::from_number(1);
        let mut responder = Responder::new(mufasa(None));
        assert_eq!(responder.headers("REGISTER", "sip:a", b"", &mut chance), Ok(Vec::new()));
        let challenged = |status, name, value: &str| {
            let mut writer = Writer::response(status, "");
            writer.header(name, value);
            Message::parse(writer.finish()).unwrap()
        };
        let registrar = "Digest realm=\"a\", nonce=\"1\", qop=\"auth\"";
        let proxy = "Digest realm=\"p\", nonce=\"2\", qop=\"auth\", stale=TRUE";
        assert_eq!(responder.challenged(&challenged(401, Name::WwwAuthenticate, registrar)), Ok(false));
        let mut headers = || responder.headers("REGISTER", "sip:a", b"", &mut chance).unwrap();
        assert!(headers()[0].1.contains("nc=00000001"));
        let again = headers();
        assert!(again[0].1.contains("nc=00000002"));
        assert_eq!(again.len(), 1);
        assert_eq!(responder.challenged(&challenged(407, Name::ProxyAuthenticate, proxy)), Ok(true));
        let both = responder.headers("REGISTER", "sip:a", b"", &mut chance).unwrap();
        assert_eq!((both[0].0, both[1].0), (Name::Authorization, Name::ProxyAuthorization));
        assert!(both[0].1.contains("nc=00000003") && both[1].1.contains("nc=00000001"));
        let unsupported = responder.challenged(&challenged(401, Name::WwwAuthenticate, "Basic realm=\"a\""));
        assert_eq!(unsupported, Err(DigestError::Unsupported));
    }
}
