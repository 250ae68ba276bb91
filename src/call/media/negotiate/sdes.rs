//! Keys of SRTP in descriptions: security descriptions (RFC 4568), offered with the secure profile or, where either will do,
//! beside the plain one (RFC 8643).

use super::Disagreement;
use crate::config::settings::Srtp;
use crate::media::command::{MasterKey, Protection, Suite};
use crate::wire::description::{Media, known};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

const ATTRIBUTE: &str = "crypto";

/// What we offer, the one that every peer has first, since some look no further. Few, so that an INVITE still fits into a
/// datagram.
const OFFERED: [Suite; 3] = [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm, Suite::AesCm256HmacSha1_80];

/// Plain profiles, and the secure one of each (RFC 4568 §4, RFC 5124).
const PROFILES: [(&str, &str); 2] = [("RTP/AVP", "RTP/SAVP"), ("RTP/AVPF", "RTP/SAVPF")];

/// Whether a leg's media are to be protected, and of what our keys are made.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    pub policy: Srtp,
    pub secret: &'a Secret,
    /// What the peer has said of the line where it comes from, in another call.
    pub habit: Habit,
}

/// Of which the keys of a line are made.
#[derive(Clone)]
pub struct Secret(pub [u8; 32]);

/// Without the bytes, which have no business in a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Whether a line has been protected, and by which profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habit {
    pub has_keys: bool,
    pub is_secure: bool,
}

impl Habit {
    pub fn of(theirs: &Media) -> Habit {
        Habit { has_keys: !cryptos(theirs).is_empty(), is_secure: theirs.is_secure_rtp() }
    }
}

impl Keys<'_> {
    /// For a line that is never protected.
    #[cfg(test)]
    pub const NONE: Keys<'static> = Keys::to_judge(Srtp::Never);

    /// For a look at what would come of an offer.
    pub const fn to_judge(policy: Srtp) -> Keys<'static> {
        Keys { policy, secret: &Secret([0; 32]), habit: Habit { has_keys: false, is_secure: false } }
    }

    /// Our key for a suite, beside the peer's key if that is known: a peer with another key may be another machine, which
    /// doesn't know what went before, so that ours is another one too. No key says anything of the others.
    fn of(&self, suite: Suite, theirs: Option<&MasterKey>) -> Option<MasterKey> {
        let mut bytes = [0; 64];
        for (half, number) in bytes.chunks_mut(32).zip(*b"01") {
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.secret.0).ok()?;
            mac.update(suite.name().as_bytes());
            mac.update(&[number]);
            mac.update(theirs.map(MasterKey::key).unwrap_or_default());
            half.copy_from_slice(&mac.finalize().into_bytes());
        }
        MasterKey::new(suite, bytes.get(..suite.key_bytes() + suite.salt_bytes())?)
    }
}

/// One `crypto` attribute that we can act on.
#[derive(Clone, Debug, PartialEq)]
struct Crypto {
    tag: u32,
    key: MasterKey,
}

/// Gives our offer of a line its keys and its profile. What was agreed before stays at the head: a peer that goes on with it
/// hears no gap. False where the line can't be protected and has to be.
pub(super) fn offer(ours: &mut Media, keys: Keys<'_>, before: Option<&Media>) -> bool {
    let was_secure = before.map_or(keys.habit.is_secure, Media::is_secure_rtp);
    let offered = before.map(cryptos).unwrap_or_default();
    let wanted = match keys.policy {
        Srtp::Never | Srtp::Accepted => !offered.is_empty() || before.is_none() && keys.habit.has_keys,
        Srtp::Offered | Srtp::Required => true,
    };
    if !ours.is_rtp() {
        return keys.policy != Srtp::Required;
    }
    if !wanted {
        return true;
    }
    if was_secure || keys.policy == Srtp::Required {
        ours.protocol = known(secure_profile(&ours.protocol));
    }
    let mut lines = offered;
    for suite in OFFERED {
        let free = (1..).find(|tag| lines.iter().all(|line| line.tag != *tag)).unwrap_or(1);
        if lines.iter().all(|line| line.key.suite() != suite)
            && let Some(key) = keys.of(suite, None)
        {
            lines.push(Crypto { tag: free, key });
        }
    }
    ours.attributes.extend(lines.iter().map(|line| (ATTRIBUTE.to_owned(), Some(line.text()))));
    true
}

/// The keys for our answer to a line, and what stands in it for them; none where the answer is plain.
pub(super) fn answer(theirs: &Media, keys: Keys<'_>) -> Result<Option<(Protection, String)>, Disagreement> {
    if !theirs.is_rtp() {
        return if keys.policy == Srtp::Required { Err(Disagreement::NotSecure) } else { Ok(None) };
    }
    let is_secure = theirs.is_secure_rtp();
    match keys.policy {
        Srtp::Never if is_secure => return Err(Disagreement::KeepsPlain),
        Srtp::Never => return Ok(None),
        Srtp::Accepted | Srtp::Offered | Srtp::Required => {}
    }
    let chosen = cryptos(theirs).into_iter().next();
    let made = chosen.and_then(|theirs| Some((keys.of(theirs.key.suite(), Some(&theirs.key))?, theirs)));
    match made {
        Some((ours, theirs)) => {
            let line = Crypto { tag: theirs.tag, key: ours };
            let text = line.text();
            Ok(Some((Protection { send: line.key, receive: theirs.key }, text)))
        }
        None if is_secure => Err(Disagreement::NoKeys),
        None if keys.policy == Srtp::Required => Err(Disagreement::NotSecure),
        None => Ok(None),
    }
}

/// The same for the peer's answer to ours.
pub(super) fn accept(ours: &Media, theirs: &Media) -> Result<Option<Protection>, Disagreement> {
    if !ours.is_rtp() {
        return Ok(None);
    }
    if ours.is_secure_rtp() && !theirs.is_secure_rtp() {
        return Err(Disagreement::UnfitAnswer);
    }
    let offered = cryptos(ours);
    // One line answers, by its tag and its suite (RFC 4568 §7.1.2).
    let agreed = cryptos(theirs).into_iter().find_map(|theirs| {
        let fits = |ours: &&Crypto| ours.tag == theirs.tag && ours.key.suite() == theirs.key.suite();
        // Who answers with our own key would have us send and hear the same.
        let ours = offered.iter().find(fits).filter(|ours| ours.key != theirs.key)?;
        Some(Protection { send: ours.key.clone(), receive: theirs.key })
    });
    match agreed {
        // Whoever answers with keys sends under them.
        None if theirs.is_secure_rtp() || theirs.attribute(ATTRIBUTE).is_some() => Err(Disagreement::NoKeys),
        agreed => Ok(agreed),
    }
}

/// Writes the line that answers.
pub(super) fn write(ours: &mut Media, text: String) {
    ours.attributes.push((ATTRIBUTE.to_owned(), Some(text)));
}

/// The plain profile that goes with any profile of RTP.
pub(super) fn plain_profile(protocol: &str) -> &str {
    let pair = PROFILES.into_iter().find(|(_, secure)| secure.eq_ignore_ascii_case(protocol));
    pair.map_or(protocol, |(plain, _)| plain)
}

fn secure_profile(protocol: &str) -> &str {
    let pair = PROFILES.into_iter().find(|(plain, _)| plain.eq_ignore_ascii_case(protocol));
    pair.map_or(protocol, |(_, secure)| secure)
}

/// The keys that a line brings and that we have the suite for, in its order.
fn cryptos(line: &Media) -> Vec<Crypto> {
    let values = line.attributes.iter().filter(|(name, _)| name.eq_ignore_ascii_case(ATTRIBUTE));
    values.filter_map(|(_, value)| Crypto::read(value.as_deref()?)).collect()
}

impl Crypto {
    /// `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^48`, and session parameters. None for what we can't do: other suites, several
    /// keys, key identifiers in packets, and parameters that change how packets look (RFC 4568 §6.3).
    fn read(value: &str) -> Option<Crypto> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?.parse().ok()?;
        let suite = Suite::from_name(words.next()?)?;
        let (method, parameters) = words.next()?.split_once(':')?;
        let mut parts = parameters.split('|');
        let key = parts.next()?;
        // A part with a colon is an identifier and its length; the other one is how long the key lives.
        let has_identifier = parts.any(|part| part.contains(':'));
        if !method.eq_ignore_ascii_case("inline") || has_identifier || parameters.contains(';') {
            return None;
        }
        // What may be ignored is said to be so (§6.3.8), or is advice.
        let is_harmless = |word: &str| {
            let is = |name: &str| word.get(..name.len()).is_some_and(|front| front.eq_ignore_ascii_case(name));
            word.starts_with('-') || is("WSH=") || word.eq_ignore_ascii_case("KDR=0")
        };
        if !words.all(is_harmless) {
            return None;
        }
        let bytes = STANDARD.decode(key).or_else(|_| STANDARD_NO_PAD.decode(key)).ok()?;
        Some(Crypto { tag, key: MasterKey::new(suite, &bytes)? })
    }

    fn text(&self) -> String {
        let bytes = [self.key.key(), self.key.salt()].concat();
        format!("{} {} inline:{}", self.tag, self.key.suite().name(), STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::description::Kind;
    use std::net::SocketAddr;

    const SECRETS: [Secret; 2] = [Secret([1; 32]), Secret([2; 32])];

    fn keys(policy: Srtp, side: usize) -> Keys<'static> {
        Keys { policy, secret: [&SECRETS[0], &SECRETS[1]][side], habit: Habit::default() }
    }

    fn line(protocol: &str, cryptos: &[&str]) -> Media {
        let mut line = Media::new(Kind::Audio, protocol, SocketAddr::from(([192, 0, 2, 1], 4_000)));
        line.attributes = cryptos.iter().map(|text| (ATTRIBUTE.to_owned(), Some((*text).to_owned()))).collect();
        line
    }

    /// RFC 4568 §7.1.1's offer.
    const RFC: &str =
        "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 FEC_ORDER=FEC_SRTP";

    #[test]
    fn an_offer_is_answered_with_keys_both_ways() {
        for policy in [Srtp::Offered, Srtp::Required] {
            let mut offered = line("RTP/AVP", &[]);
            offer(&mut offered, keys(policy, 0), None);
            assert_eq!(offered.protocol, if policy == Srtp::Required { "RTP/SAVP" } else { "RTP/AVP" });
            assert_eq!(offered.attributes.len(), 3);
            let (theirs, text) = answer(&offered, keys(Srtp::Accepted, 1)).unwrap().unwrap();
            let mut answered = line(&offered.protocol, &[]);
            write(&mut answered, text);
            let ours = accept(&offered, &answered).unwrap().unwrap();
            assert_eq!((&ours.send, &ours.receive), (&theirs.receive, &theirs.send));
            assert_ne!(ours.send, ours.receive);
            assert_eq!(ours.send.suite(), Suite::AesCm128HmacSha1_80);
            let mut again = line("RTP/AVP", &[]);
            offer(&mut again, keys(policy, 0), Some(&offered));
            assert_eq!(again, offered, "said again word for word");
            let mut from_the_other = line("RTP/AVP", &[]);
            offer(&mut from_the_other, keys(Srtp::Accepted, 1), Some(&answered));
            let first = cryptos(&from_the_other).remove(0);
            assert_eq!((from_the_other.protocol.as_ref(), first.key), (offered.protocol.as_ref(), theirs.send));
        }
    }

    #[test]
    fn what_one_side_refuses_is_not_carried() {
        let secure = line("RTP/SAVP", &["1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"]);
        let plain = line("RTP/AVP", &[]);
        let answered = |line: &Media, policy| answer(line, keys(policy, 1)).map(|made| made.is_some());
        assert_eq!(answered(&secure, Srtp::Never), Err(Disagreement::KeepsPlain));
        assert_eq!(answered(&plain, Srtp::Required), Err(Disagreement::NotSecure));
        assert_eq!(answered(&plain, Srtp::Offered), Ok(false));
        assert_eq!(answered(&line("RTP/SAVP", &[]), Srtp::Accepted), Err(Disagreement::NoKeys));
        let beside = line("RTP/AVP", &["1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"]);
        assert_eq!((answered(&beside, Srtp::Accepted), answered(&beside, Srtp::Never)), (Ok(true), Ok(false)));
        let mut demanded = line("RTP/AVP", &[]);
        offer(&mut demanded, keys(Srtp::Required, 0), None);
        for unfit in [plain.clone(), beside.clone(), line("RTP/SAVP", &[]), secure.clone()] {
            let is_ok = accept(&demanded, &unfit).is_ok();
            assert_eq!(is_ok, unfit == secure, "{unfit:?}");
        }
        let mut either = line("RTP/AVP", &[]);
        offer(&mut either, keys(Srtp::Offered, 0), None);
        assert_eq!(accept(&either, &plain), Ok(None));
        assert!(accept(&either, &beside).unwrap().is_some());
        assert!(accept(&plain, &secure).is_err());
        let mut answered = line("RTP/SAVP", &[]);
        answered.attributes = beside.attributes.clone();
        assert!(accept(&either, &answered).unwrap().is_some(), "the secure profile is no less");
        let mut unfit = plain.clone();
        write(&mut unfit, "9 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz".to_owned());
        assert_eq!(accept(&either, &unfit), Err(Disagreement::NoKeys), "it sends under a key that fits nothing");
        assert_eq!(accept(&demanded, &demanded), Err(Disagreement::NoKeys), "our own keys");
        let mut fax = Media::new(Kind::Other("image".into()), "udptl", plain.address);
        assert!(!offer(&mut fax, keys(Srtp::Required, 0), None) && offer(&mut fax, keys(Srtp::Offered, 0), None));
        assert_eq!(answered_fax(&fax, Srtp::Required), Err(Disagreement::NotSecure));
        assert_eq!(answered_fax(&fax, Srtp::Offered), Ok(false));
    }

    fn answered_fax(fax: &Media, policy: Srtp) -> Result<bool, Disagreement> {
        answer(fax, keys(policy, 1)).map(|made| made.is_some())
    }

    #[test]
    fn a_peer_with_another_key_is_answered_by_another_key() {
        let key = |tail: &str| format!("1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubG{tail}");
        let send = |tail: &str| {
            let (made, _) = answer(&line("RTP/SAVP", &[&key(tail)]), keys(Srtp::Accepted, 1)).unwrap().unwrap();
            made.send
        };
        assert_eq!(send("Vz"), send("Vz"));
        assert_eq!(send("Vz").suite(), send("U0").suite());
        let other = "1 AES_CM_128_HMAC_SHA1_80 inline:AAAfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
        let (made, _) = answer(&line("RTP/SAVP", &[other]), keys(Srtp::Accepted, 1)).unwrap().unwrap();
        assert_ne!(made.send, send("Vz"));
    }

    #[test]
    fn a_line_that_comes_from_another_call_keeps_its_habit() {
        for (theirs, profile) in [("RTP/SAVP", "RTP/SAVP"), ("RTP/AVP", "RTP/AVP")] {
            let habit = Habit::of(&line(theirs, &[&RFC.replace("|1:4", "").replace(" FEC_ORDER=FEC_SRTP", "")]));
            let mut offered = line("RTP/AVP", &[]);
            assert!(offer(&mut offered, Keys { habit, ..keys(Srtp::Accepted, 0) }, None));
            assert_eq!((offered.protocol.as_ref(), offered.attributes.len()), (profile, 3));
        }
        let mut offered = line("RTP/AVP", &[]);
        offer(&mut offered, keys(Srtp::Accepted, 0), None);
        assert!(offered.attributes.is_empty());
    }

    #[test]
    fn lines_that_we_cannot_keep_to_are_passed_over() {
        assert_eq!(Crypto::read(RFC), None, "with a key identifier in each packet");
        let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
        let suite = "AES_CM_128_HMAC_SHA1_80";
        for (text, good) in [
            (format!("1 {suite} inline:{key}"), true),
            (format!("7 {} INLINE:{key}|2^31 WSH=128 -x=1", suite.to_lowercase()), true),
            (format!("1 {suite} inline:{key}|1048576 KDR=0"), true),
            (format!("1 {suite} inline:{key} KDR=3"), false),
            (format!("1 {suite} inline:{key} UNENCRYPTED_SRTCP"), false),
            (format!("1 {suite} inline:{key};inline:{key}"), false),
            (format!("1 {suite} inline:{}", &key[1..]), false),
            (format!("1 {suite} inline:{key}{key}"), false),
            (format!("x {suite} inline:{key}"), false),
            (format!("1 F8_128_HMAC_SHA1_80 inline:{key}"), false),
            (format!("1 {suite} other:{key}"), false),
            ("1".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(Crypto::read(&text).is_some(), good, "{text}");
        }
        let offered = line(
            "RTP/SAVP",
            &[
                "1 F8_128_HMAC_SHA1_80 inline:x",
                "4 AES_CM_128_HMAC_SHA1_32 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
            ],
        );
        let (made, text) = answer(&offered, keys(Srtp::Accepted, 1)).unwrap().unwrap();
        assert_eq!(made.receive.suite(), Suite::AesCm128HmacSha1_32);
        assert!(text.starts_with("4 AES_CM_128_HMAC_SHA1_32 inline:"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[0-9A-Za-z_ :;|^=+/-]{0,120}") {
            let _ = answer(&line("RTP/SAVP", &[&text]), keys(Srtp::Accepted, 0));
        }
    }
}
