//! The server's side: challenges, and the judgement of what comes back.

use crate::base::time::Time;
use crate::sip::digest::counts::Counts;
use crate::sip::digest::hash::{Algorithm, Calculation, Hashes, Qop, Variant, equal_in_constant_time, keyed, to_hex};
use crate::sip::digest::nonce::Mint;
use crate::wire::sip::{Credentials, Message, Name, Scheme, Uri, quote};
use std::net::IpAddr;
use std::time::Duration;

/// Nonces whose counts are remembered, 4 MiB or so, where nothing else is said.
const NONCES: usize = 65_536;

/// Issues challenges and verifies the answers. Each verifier has a secret of its own: two with one secret would accept
/// each other's nonces without knowing each other's counts.
pub struct Verifier {
    secret: [u8; 32],
    mint: Mint,
    lifetime: Duration,
    counts: Counts,
    /// HA1 of nobody, so that an unknown user costs what a known one does.
    nobody: Hashes,
}

/// What a request proved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Sent by `user`, just now.
    Ok { user: String },
    /// Nothing for our realm: challenge it.
    Missing,
    /// The secret is right, but the nonce has expired, or was used with this count before: challenge it with `stale`, and the
    /// phone answers without asking its owner.
    Stale,
    /// The nonce is none that was issued to this source, as after a restart. Nothing was judged, since anybody can send this
    /// in the name of any source: challenge it with `stale`.
    Foreign,
    /// The user is unknown, or the secret or the request is another: challenge it as if nothing had come.
    Wrong { user: Option<String> },
}

impl Verifier {
    /// `lifetime` is how long a nonce waits to be used first.
    pub fn new(secret: [u8; 32], lifetime: Duration) -> Verifier {
        let nobody = to_hex(&keyed(&secret, &[b"nobody"]));
        let nobody = Hashes { ha1_md5: nobody.get(..32).map(str::to_owned), ha1_sha256: Some(nobody) };
        let counts = Counts::new(NONCES, lifetime);
        Verifier { secret, mint: Mint::new(secret), lifetime, counts, nobody }
    }

    /// Remembers the counts of `nonces` nonces at most, or of as many as otherwise if that is more, and each for `rest` after
    /// its last use.
    pub fn remembering(self, nonces: usize, rest: Duration) -> Verifier {
        Verifier { counts: Counts::new(nonces.max(NONCES), rest.max(self.lifetime)), ..self }
    }

    /// Values of `WWW-Authenticate` or `Proxy-Authenticate`, a field each, the strongest first (RFC 8760 §2.4).
    pub fn challenge(&mut self, now: Time, realm: &str, stale: bool, source: IpAddr) -> Vec<String> {
        self.challenge_with(now, realm, stale, source, &[Algorithm::Sha256, Algorithm::Md5])
    }

    /// The same for some algorithms only: an account that is kept as an MD5 hash can't answer SHA-256.
    pub fn challenge_with(
        &mut self,
        now: Time,
        realm: &str,
        stale: bool,
        source: IpAddr,
        algorithms: &[Algorithm],
    ) -> Vec<String> {
        let nonce = self.mint.issue(now, realm, source);
        let quoted = quote(realm);
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = |algorithm: &Algorithm| {
            format!("Digest realm={quoted}, nonce=\"{nonce}\", qop=\"auth\", algorithm={}{stale}", algorithm.as_str())
        };
        algorithms.iter().map(challenge).collect()
    }

    /// Whether a nonce was issued to the network of this source.
    pub fn has_issued(&self, nonce: &str, realm: &str, source: IpAddr) -> bool {
        self.mint.read(nonce, realm, source).is_some()
    }

    /// A number below `whole` that is always the same for one name and that nobody else can work out.
    pub fn lot(&self, name: &str, whole: usize) -> usize {
        let mac = keyed(&self.secret, &[b"lot", name.as_bytes()]);
        let number = mac.iter().take(8).fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        usize::try_from(number % u64::try_from(whole.max(1)).unwrap_or(u64::MAX)).unwrap_or(0)
    }

    /// Judges the credentials of a request from `source` for `realm` in `header`, which is [`Name::Authorization`] or [`Name::ProxyAuthorization`].
    ///
    /// `lookup` finds an account's hashes by the user's name as it was given. It looks into hashes that were made
    /// before: making them on the way would tell by its time who has an account. An ACK or a CANCEL is never judged, as
    /// its credentials are copies (RFC 3261 §22.1).
    pub fn verify(
        &mut self,
        now: Time,
        message: &Message,
        realm: &str,
        header: Name,
        source: IpAddr,
        lookup: impl Fn(&str) -> Option<Hashes>,
    ) -> Verdict {
        let fields = message.fields().filter(|field| field.kind() == header);
        for field in fields {
            let Ok(credentials) = Credentials::parse(field.value()) else { continue };
            if credentials.is_digest() && credentials.get("realm").as_deref() == Some(realm) {
                return self.judge(now, message, realm, &credentials, source, lookup);
            }
        }
        Verdict::Missing
    }

    fn judge(
        &mut self,
        now: Time,
        message: &Message,
        realm: &str,
        credentials: &Credentials<'_>,
        source: IpAddr,
        lookup: impl Fn(&str) -> Option<Hashes>,
    ) -> Verdict {
        let nonce = credentials.get("nonce").and_then(|nonce| self.mint.read(&nonce, realm, source));
        let Some(nonce) = nonce else { return Verdict::Foreign };
        let Some(user) = credentials.get("username") else { return Verdict::Wrong { user: None } };
        let user = user.into_owned();
        let hashes = lookup(&user);
        if !self.is_right(message, credentials, hashes.as_ref()) {
            return Verdict::Wrong { user: Some(user) };
        }
        let lifetime_ms = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let oldest_ms = now.millis().saturating_sub(lifetime_ms);
        let is_fresh = (oldest_ms..=now.millis()).contains(&nonce.issued_ms);
        // Without a count (RFC 2069) a nonce serves once, since nothing else would tell a replay.
        let counted = credentials.get("qop").and(credentials.get("nc"));
        let count = counted.map_or(Some(1), |count| u32::from_str_radix(&count, 16).ok());
        match count {
            Some(count) if self.counts.admit(now, nonce, count, is_fresh) => Verdict::Ok { user },
            _ => Verdict::Stale,
        }
    }

    /// Whether the response fits the request and the account. Takes as long where there is
    /// no account.
    fn is_right(&self, message: &Message, credentials: &Credentials<'_>, hashes: Option<&Hashes>) -> bool {
        let Some(given) = Given::read(credentials) else { return false };
        let algorithm = given.variant.algorithm;
        let known = hashes.and_then(|hashes| hashes.of(algorithm));
        let ha1 = known.or_else(|| self.nobody.of(algorithm)).unwrap_or_default();
        let body = message.body();
        let calculation = Calculation {
            variant: given.variant,
            method: message.method().as_str(),
            uri: &given.uri,
            nonce: &given.nonce,
            qop: given.qop,
            nc: &given.nc,
            cnonce: &given.cnonce,
            body: &body,
        };
        let expected = calculation.response(ha1);
        let equal = equal_in_constant_time(expected.as_bytes(), given.response.as_bytes());
        let same_target = is_same_target(&given.uri, message.request_uri());
        equal & same_target & known.is_some()
    }
}

/// The parameters of credentials, complete and fitting together.
struct Given {
    variant: Variant,
    qop: Option<Qop>,
    nonce: String,
    uri: String,
    nc: String,
    cnonce: String,
    response: String,
}

impl Given {
    fn read(credentials: &Credentials<'_>) -> Option<Given> {
        let text = |name: &str| credentials.get(name).map(|value| value.into_owned());
        let variant = Variant::from_name(credentials.get("algorithm").as_deref())?;
        let qop = match credentials.get("qop") {
            Some(name) => Some(Qop::from_name(&name)?),
            None => None,
        };
        let userhash = credentials.get("userhash").is_some_and(|userhash| userhash.eq_ignore_ascii_case("true"));
        let given = Given {
            variant,
            qop,
            nonce: text("nonce")?,
            uri: text("uri")?,
            nc: text("nc").unwrap_or_default(),
            cnonce: text("cnonce").unwrap_or_default(),
            response: text("response")?.to_ascii_lowercase(),
        };
        let complete = match qop {
            Some(_) => given.nc.len() == 8 && !given.cnonce.is_empty(),
            // RFC 2069 knew MD5 only, and its clients know nothing newer.
            None => variant == Variant { algorithm: Algorithm::Md5, session: false },
        };
        (complete && !userhash).then_some(given)
    }
}

/// Whether two URIs name one target as phones mean it: many leave the parameters and the port out of `uri=`, or write
/// `sip:` where they sent to `sips:`. User and host must agree.
fn is_same_target(given: &str, request_uri: &str) -> bool {
    if given == request_uri {
        return true;
    }
    let (Ok(given), Ok(target)) = (Uri::parse(given), Uri::parse(request_uri)) else { return false };
    if matches!(target.scheme, Scheme::Urn | Scheme::Other) {
        return given.equivalent(&target);
    }
    let ports_agree = match (given.port(), target.port()) {
        (Some(one), Some(two)) => one == two,
        _ => true,
    };
    let user = |uri: &Uri<'_>| uri.user_decoded().to_string();
    user(&given) == user(&target) && given.host().eq_ignore_ascii_case(target.host()) && ports_agree
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::digest::{ClientCredentials, answer};
    use crate::wire::sip::{Method, Writer};

    const REALM: &str = "example.net";
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const LIFETIME: Duration = Duration::from_secs(300);

    fn verifier() -> Verifier {
        Verifier::new([9; 32], LIFETIME)
    }

    fn alice(user: &str) -> Option<Hashes> {
        (user == "alice").then(|| Hashes::from_password("alice", REALM, "s3cret"))
    }

    fn credentials(username: &str, password: &str) -> ClientCredentials {
        ClientCredentials { username: username.to_owned(), password: password.to_owned(), realm: None }
    }

    fn register(authorization: &str) -> Message {
        request("sip:example.net", authorization, b"")
    }

    fn request(uri: &str, authorization: &str, body: &[u8]) -> Message {
        let mut writer = Writer::request(&Method::Register, uri);
        writer.header(Name::CSeq, "1 REGISTER");
        if !authorization.is_empty() {
            writer.header(Name::Authorization, authorization);
        }
        writer.body("text/plain", body);
        Message::parse(writer.finish()).unwrap()
    }

    fn answered(challenge: &str, password: &str, nc: u32) -> Message {
        let challenges = [challenge].into_iter();
        let value = answer(challenges, &credentials("alice", password), "REGISTER", "sip:example.net", b"", nc, "c0");
        register(&value.unwrap())
    }

    fn ok() -> Verdict {
        Verdict::Ok { user: "alice".to_owned() }
    }

    fn wrong() -> Verdict {
        Verdict::Wrong { user: Some("alice".to_owned()) }
    }

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000_000 + seconds * 1_000)
    }

    #[test]
    fn challenges_list_the_strongest_first() {
        let challenges = verifier().challenge(at(0), "a \"b\" \\", false, HERE);
        assert_eq!(challenges.len(), 2);
        assert!(challenges[0].ends_with("algorithm=SHA-256"), "{}", challenges[0]);
        assert!(challenges[1].ends_with("algorithm=MD5"), "{}", challenges[1]);
        assert!(challenges[0].starts_with(r#"Digest realm="a \"b\" \\", nonce=""#));
        assert!(challenges.iter().all(|challenge| challenge.contains("qop=\"auth\"")));
        assert!(verifier().challenge(at(0), REALM, true, HERE)[0].ends_with("stale=true"));
    }

    #[test]
    fn both_algorithms_are_verified() {
        let mut verifier = verifier();
        for challenge in verifier.challenge(at(0), REALM, false, HERE) {
            let message = answered(&challenge, "s3cret", 1);
            let fresh = &mut Verifier::new([9; 32], LIFETIME);
            assert_eq!(fresh.verify(at(1), &message, REALM, Name::Authorization, HERE, alice), ok());
            let message = answered(&challenge, "secret", 1);
            assert_eq!(fresh.verify(at(1), &message, REALM, Name::Authorization, HERE, alice), wrong());
        }
    }

    #[test]
    fn without_credentials_for_the_realm_they_are_missing() {
        let mut verifier = verifier();
        let mut verdict = |message: &Message| verifier.verify(at(0), message, REALM, Name::Authorization, HERE, alice);
        assert_eq!(verdict(&register("")), Verdict::Missing);
        assert_eq!(verdict(&register("Basic YTpi")), Verdict::Missing);
        assert_eq!(verdict(&register("Digest username=\"alice\", realm=\"other\"")), Verdict::Missing);
        assert_eq!(verdict(&register("Digest realm=\"example.net\"")), Verdict::Foreign);
        assert_eq!(verdict(&register("Digest realm=\"example.net\", username=\"alice\"")), Verdict::Foreign);
    }

    #[test]
    fn credentials_for_another_realm_beside_ours_do_no_harm() {
        let mut verifier = verifier();
        let challenge = verifier.challenge(at(0), REALM, false, HERE).remove(0);
        let value = answered(&challenge, "s3cret", 1).header(Name::Authorization).unwrap().to_owned();
        let mut writer = Writer::request(&Method::Register, "sip:example.net");
        writer.header(Name::CSeq, "1 REGISTER");
        writer.header(Name::Authorization, "Digest username=\"x\", realm=\"other\", nonce=\"1\"");
        writer.header(Name::Authorization, value);
        let message = Message::parse(writer.finish()).unwrap();
        assert_eq!(verifier.verify(at(0), &message, REALM, Name::Authorization, HERE, alice), ok());
        assert_eq!(verifier.verify(at(0), &message, REALM, Name::ProxyAuthorization, HERE, alice), Verdict::Missing);
    }

    #[test]
    fn an_unknown_user_looks_like_a_wrong_password() {
        let mut verifier = verifier();
        let challenge = verifier.challenge(at(0), REALM, false, HERE).remove(0);
        let challenges = [challenge.as_str()].into_iter();
        let value =
            answer(challenges, &credentials("mallory", "x"), "REGISTER", "sip:example.net", b"", 1, "c").unwrap();
        let verdict = verifier.verify(at(0), &register(&value), REALM, Name::Authorization, HERE, alice);
        assert_eq!(verdict, Verdict::Wrong { user: Some("mallory".to_owned()) });
    }

    #[test]
    fn an_account_with_an_md5_hash_only_answers_md5_only() {
        let mut verifier = verifier();
        let md5_only = |user: &str| alice(user).map(|hashes| Hashes { ha1_sha256: None, ..hashes });
        let challenges = verifier.challenge(at(0), REALM, false, HERE);
        let [sha256, md5] = [0, 1].map(|i| answered(&challenges[i], "s3cret", 1));
        assert_eq!(verifier.verify(at(0), &sha256, REALM, Name::Authorization, HERE, md5_only), wrong());
        assert_eq!(verifier.verify(at(0), &md5, REALM, Name::Authorization, HERE, md5_only), ok());
        let challenges = verifier.challenge_with(at(0), REALM, false, HERE, &[Algorithm::Md5]);
        assert_eq!(challenges.len(), 1);
    }

    #[test]
    fn a_replay_is_stale() {
        let mut verifier = verifier();
        let challenge = verifier.challenge(at(0), REALM, false, HERE).remove(0);
        let mut verdict = |nc| {
            let message = answered(&challenge, "s3cret", nc);
            verifier.verify(at(1), &message, REALM, Name::Authorization, HERE, alice)
        };
        assert_eq!(verdict(1), ok());
        assert_eq!(verdict(1), Verdict::Stale);
        assert_eq!(verdict(3), ok());
        assert_eq!(verdict(2), ok(), "datagrams overtake each other");
        assert_eq!(verdict(2), Verdict::Stale);
    }

    #[test]
    fn an_old_nonce_is_stale_with_the_right_password_only_and_a_foreign_one_is_not_judged() {
        let mut verifier = verifier();
        let challenge = verifier.challenge(at(0), REALM, false, HERE).remove(0);
        let foreign = Verifier::new([1; 32], LIFETIME).challenge(at(0), REALM, false, HERE).remove(0);
        let future = verifier.challenge(at(1_000), REALM, false, HERE).remove(0);
        let elsewhere = verifier.challenge(at(0), REALM, false, [192, 0, 2, 8].into()).remove(0);
        let made_up = format!("Digest realm=\"{REALM}\", nonce=\"abc\", qop=\"auth\", algorithm=SHA-256");
        let mut verdict = |seconds, challenge: &str, password| {
            let message = answered(challenge, password, 1);
            verifier.verify(at(seconds), &message, REALM, Name::Authorization, HERE, alice)
        };
        assert_eq!(verdict(301, &challenge, "s3cret"), Verdict::Stale);
        assert_eq!(verdict(301, &challenge, "wrong"), wrong());
        assert_eq!(verdict(1, &future, "s3cret"), Verdict::Stale);
        assert_eq!(verdict(1, &future, "wrong"), wrong());
        for bad in [&foreign, &made_up, &elsewhere] {
            assert_eq!(verdict(1, bad, "s3cret"), Verdict::Foreign);
            assert_eq!(verdict(1, bad, "wrong"), Verdict::Foreign);
        }
        assert_eq!(verdict(300, &challenge, "s3cret"), ok());
    }

    #[test]
    fn a_nonce_that_is_used_within_its_rest_needs_no_new_challenge() {
        let mut verifier = verifier().remembering(1, Duration::from_secs(3_600));
        let challenge = verifier.challenge(at(0), REALM, false, HERE).remove(0);
        let mut verdict = |seconds, nc| {
            let message = answered(&challenge, "s3cret", nc);
            verifier.verify(at(seconds), &message, REALM, Name::Authorization, HERE, alice)
        };
        assert_eq!(verdict(300, 1), ok());
        assert_eq!(verdict(3_800, 2), ok());
        assert_eq!(verdict(3_801, 2), Verdict::Stale, "used before");
        assert_eq!(verdict(7_300, 3), ok());
        assert_eq!(verdict(10_901, 4), Verdict::Stale);
    }

    /// Credentials as an old or an odd phone writes them.
    fn by_hand(verifier: &mut Verifier, algorithm: &str, qop: &str, uri: &str, body: &[u8]) -> String {
        let challenge = verifier.challenge(at(0), REALM, false, HERE).remove(1);
        let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
        let calculation = Calculation {
            variant: Variant::from_name(Some(algorithm)).unwrap(),
            method: "REGISTER",
            uri,
            nonce: &nonce,
            qop: Qop::from_name(qop),
            nc: "0000000A",
            cnonce: "c\"1",
            body,
        };
        let hashes = Hashes::from_password("alice", REALM, "s3cret");
        let response = calculation.response(hashes.of(calculation.variant.algorithm).unwrap()).to_uppercase();
        let counted =
            if qop.is_empty() { String::new() } else { format!("qop={qop}, nc=0000000A, cnonce=\"c\\\"1\",") };
        format!(
            "DIGEST Username=\"ali\\ce\",realm=\"{REALM}\" , nonce=\"{nonce}\",{counted}uri=\"{uri}\",\
             response=\"{response}\",algorithm={algorithm}"
        )
    }

    #[test]
    fn what_older_phones_send_is_taken() {
        let mut verifier = verifier();
        for (algorithm, qop) in [("MD5", "auth"), ("md5-sess", "auth"), ("SHA-256-sess", "AUTH"), ("MD5", "auth-int")] {
            let value = by_hand(&mut verifier, algorithm, qop, "sip:example.net", b"body");
            let message = request("sip:example.net", &value, b"body");
            assert_eq!(verifier.verify(at(0), &message, REALM, Name::Authorization, HERE, alice), ok(), "{value}");
        }
        let value = by_hand(&mut verifier, "MD5", "auth-int", "sip:example.net", b"body");
        let tampered = request("sip:example.net", &value, b"other");
        assert_eq!(verifier.verify(at(0), &tampered, REALM, Name::Authorization, HERE, alice), wrong());
    }

    #[test]
    fn rfc_2069_serves_once_a_nonce_and_with_md5_only() {
        let mut verifier = verifier();
        let message = register(&by_hand(&mut verifier, "MD5", "", "sip:example.net", b""));
        assert_eq!(verifier.verify(at(0), &message, REALM, Name::Authorization, HERE, alice), ok());
        assert_eq!(verifier.verify(at(0), &message, REALM, Name::Authorization, HERE, alice), Verdict::Stale);
        let message = register(&by_hand(&mut verifier, "SHA-256", "", "sip:example.net", b""));
        assert_eq!(verifier.verify(at(0), &message, REALM, Name::Authorization, HERE, alice), wrong());
    }

    #[test]
    fn the_uri_must_name_the_target() {
        let fits = [
            ("sip:example.net", "sip:example.net"),
            ("sip:EXAMPLE.net:5060", "sip:example.net"),
            ("sip:example.net", "sip:example.net;transport=tcp"),
            ("sip:b%6Fb@example.net", "sip:bob@example.net;user=phone"),
            ("tel:+1-555-0100", "tel:+15550100"),
        ];
        let differs = [
            ("sip:example.org", "sip:example.net"),
            ("sip:bob@example.net", "sip:example.net"),
            ("sip:bob@example.net", "sip:carol@example.net"),
            ("sip:example.net:5070", "sip:example.net:5060"),
            ("urn:service:sos", "urn:service:fire"),
            ("", "sip:example.net"),
        ];
        for (given, target) in fits {
            assert!(is_same_target(given, target), "{given} {target}");
        }
        for (given, target) in differs {
            assert!(!is_same_target(given, target), "{given} {target}");
        }
        let mut verifier = verifier();
        let value = by_hand(&mut verifier, "MD5", "auth", "sip:bob@example.net", b"");
        assert_eq!(verifier.verify(at(0), &register(&value), REALM, Name::Authorization, HERE, alice), wrong());
    }

    proptest::proptest! {
        #[test]
        fn no_credentials_panic_or_get_in(text in "(Digest )?[ -~]{0,200}") {
            let mut verifier = verifier();
            let verdict = verifier.verify(at(0), &register(&text), REALM, Name::Authorization, HERE, alice);
            let got_in = matches!(verdict, Verdict::Ok { .. });
            proptest::prop_assert!(!got_in);
        }
    }
}
