//! Event state that users publish (RFC 3903). Pure: the owner has authenticated the request and reads the body before it
//! comes here.

use crate::base::chance::Chance;
use crate::base::time::Time;
use crate::base::timers::Timers;
use crate::sip::registrar::Outcome;
use crate::wire::sip::{Message, Name};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Characters of an entity tag.
const TAG: usize = 16;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicationLimits {
    /// The shortest publication that is granted; who asks for less is told by 423.
    pub min: Duration,
    /// The longest; who asks for more, or for none, is granted this.
    pub max: Duration,
    /// Of one user.
    pub per_user: usize,
}

/// What users have published, each as a value of `T`.
pub struct Publications<T> {
    limits: PublicationLimits,
    /// The oldest of each user first.
    users: BTreeMap<String, Vec<Publication<T>>>,
    owners: HashMap<u64, String>,
    expiry: Timers<u64>,
    last: u64,
}

struct Publication<T> {
    id: u64,
    tag: String,
    state: T,
}

impl<T> Publications<T> {
    pub fn new(limits: PublicationLimits) -> Publications<T> {
        Publications { limits, users: BTreeMap::new(), owners: HashMap::new(), expiry: Timers::default(), last: 0 }
    }

    /// For a reload; what was granted before stays as it is.
    pub fn set_limits(&mut self, limits: PublicationLimits) {
        self.limits = limits;
    }

    /// Takes a PUBLISH of `user` (RFC 3903 §6), whose body is `state`; none where it has no body, which refreshes or
    /// removes what was published before.
    pub fn publish(
        &mut self,
        now: Time,
        user: &str,
        message: &Message,
        state: Option<T>,
        chance: &mut Chance,
    ) -> Outcome {
        let granted = match self.granted(message) {
            Ok(granted) => granted,
            Err(outcome) => return outcome,
        };
        let tag = message.header(Name::SipIfMatch);
        let known = self.users.get(user).map(Vec::as_slice).unwrap_or_default();
        let at = tag.map(|tag| known.iter().position(|publication| publication.tag == tag));
        match (at, state) {
            (Some(None), _) => return Outcome::refuse(412, ""),
            // An initial publication needs a body (§6 step 3 of processing).
            (None, None) => return Outcome::refuse(400, "Nothing Published"),
            (None, Some(_)) if granted.is_zero() => {}
            (None, Some(state)) => {
                if known.len() >= self.limits.per_user.max(1) {
                    // A program that crashed doesn't know its tags any more: the oldest gives way to its new one.
                    let oldest = known.first().map(|publication| publication.id);
                    oldest.into_iter().for_each(|id| self.remove(id));
                }
                self.last += 1;
                self.owners.insert(self.last, user.to_owned());
                let publication = Publication { id: self.last, tag: String::new(), state };
                self.users.entry(user.to_owned()).or_default().push(publication);
                return self.commit(now, user, self.last, granted, chance);
            }
            (Some(Some(at)), state) => {
                let id = known.get(at).map_or(0, |publication| publication.id);
                if granted.is_zero() {
                    self.remove(id);
                    return taken(granted, &chance.token(TAG));
                }
                let publication = self.users.get_mut(user).and_then(|known| known.get_mut(at));
                if let (Some(publication), Some(state)) = (publication, state) {
                    publication.state = state;
                }
                return self.commit(now, user, id, granted, chance);
            }
        }
        taken(granted, &chance.token(TAG))
    }

    /// What `user` has published, the oldest first.
    pub fn of(&self, user: &str) -> impl Iterator<Item = &T> {
        self.users.get(user).into_iter().flatten().map(|publication| &publication.state)
    }

    /// Removes all of users who are gone; tells whose.
    pub fn retain(&mut self, stays: impl Fn(&str) -> bool) -> Vec<String> {
        let gone: Vec<_> = self.users.keys().filter(|user| !stays(user)).cloned().collect();
        for user in &gone {
            for publication in self.users.remove(user).unwrap_or_default() {
                self.owners.remove(&publication.id);
                self.expiry.cancel(publication.id);
            }
        }
        gone
    }

    /// Removes what has expired at `now`; tells whose.
    pub fn handle_timeout(&mut self, now: Time) -> Vec<String> {
        let mut whose = Vec::new();
        while let Some(id) = self.expiry.expire(now) {
            whose.extend(self.owners.get(&id).cloned());
            self.remove(id);
        }
        whose
    }

    pub fn poll_timeout(&self) -> Option<Time> {
        self.expiry.next()
    }

    pub fn count(&self) -> usize {
        self.owners.len()
    }

    fn granted(&self, message: &Message) -> Result<Duration, Outcome> {
        let asked = message.expires().filter(|_| message.header(Name::Expires).is_some());
        let asked = asked.map_or(self.limits.max, |seconds| Duration::from_secs(seconds.into()));
        if !asked.is_zero() && asked < self.limits.min {
            return Err(Outcome::refuse(423, "").with(Name::MinExpires, self.limits.min.as_secs().to_string()));
        }
        Ok(asked.min(self.limits.max))
    }

    /// A new tag for each time that the state is written (§6 step 6).
    fn commit(&mut self, now: Time, user: &str, id: u64, granted: Duration, chance: &mut Chance) -> Outcome {
        let tag = chance.token(TAG);
        let known = self.users.get_mut(user).into_iter().flatten();
        for publication in known.filter(|publication| publication.id == id) {
            publication.tag.clone_from(&tag);
        }
        self.expiry.set(id, now + granted);
        taken(granted, &tag)
    }

    fn remove(&mut self, id: u64) {
        self.expiry.cancel(id);
        let Some(user) = self.owners.remove(&id) else { return };
        let Some(known) = self.users.get_mut(&user) else { return };
        known.retain(|publication| publication.id != id);
        if known.is_empty() {
            self.users.remove(&user);
        }
    }
}

fn taken(granted: Duration, tag: &str) -> Outcome {
    Outcome::refuse(200, "").with(Name::SipEtag, tag.to_owned()).with(Name::Expires, granted.as_secs().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    struct Desk {
        publications: Publications<&'static str>,
        chance: Chance,
        now: Time,
    }

    impl Desk {
        fn new() -> Desk {
            let limits =
                PublicationLimits { min: Duration::from_secs(60), max: Duration::from_secs(3_600), per_user: 2 };
            Desk { publications: Publications::new(limits), chance: Chance::from_number(1), now: Time::ZERO }
        }

        /// The status, and the tag or the shortest expiry.
        fn publish(&mut self, headers: &str, state: Option<&'static str>) -> (u16, String) {
            let text = format!(
                "PUBLISH sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa\r\nFrom: <sip:bob@x>;tag=a\r\n\
                 To: <sip:bob@x>\r\nCall-ID: c\r\nCSeq: 1 PUBLISH\r\nMax-Forwards: 70\r\n{headers}Content-Length: 0\r\n\r\n"
            );
            let message = Message::parse(Bytes::from(text)).unwrap();
            let outcome = self.publications.publish(self.now, "bob", &message, state, &mut self.chance);
            (outcome.status, outcome.headers.into_iter().next().map(|(_, value)| value).unwrap_or_default())
        }

        fn state(&self) -> Vec<&'static str> {
            self.publications.of("bob").copied().collect()
        }
    }

    #[test]
    fn each_write_has_a_tag_of_its_own() {
        let mut desk = Desk::new();
        let (status, first) = desk.publish("Expires: 600\r\n", Some("open"));
        assert_eq!((status, desk.state()), (200, vec!["open"]));
        let (status, second) = desk.publish(&format!("SIP-If-Match: {first}\r\n"), None);
        assert_eq!((status, desk.state()), (200, vec!["open"]));
        assert_ne!(first, second);
        assert_eq!(desk.publish(&format!("SIP-If-Match: {first}\r\n"), Some("closed")).0, 412);
        let (status, third) = desk.publish(&format!("SIP-If-Match: {second}\r\n"), Some("closed"));
        assert_eq!((status, desk.state()), (200, vec!["closed"]));
        assert_eq!(desk.publish(&format!("SIP-If-Match: {third}\r\nExpires: 0\r\n"), None).0, 200);
        assert_eq!((desk.publications.count(), desk.publications.poll_timeout()), (0, None));
    }

    #[test]
    fn what_is_not_refreshed_expires() {
        let mut desk = Desk::new();
        let (_, tag) = desk.publish("Expires: 600\r\n", Some("open"));
        desk.now += Duration::from_secs(500);
        desk.publish(&format!("SIP-If-Match: {tag}\r\nExpires: 600\r\n"), None);
        assert_eq!(desk.publications.handle_timeout(desk.now + Duration::from_secs(599)), Vec::<String>::new());
        assert_eq!(desk.publications.handle_timeout(desk.now + Duration::from_secs(600)), ["bob"]);
        assert_eq!(desk.publications.count(), 0);
    }

    #[test]
    fn what_is_refused_and_what_gives_way() {
        let mut desk = Desk::new();
        assert_eq!(desk.publish("Expires: 59\r\n", Some("x")), (423, "60".to_owned()));
        assert_eq!(desk.publish("", None).0, 400);
        assert_eq!(desk.publish("SIP-If-Match: unknown\r\n", Some("x")).0, 412);
        for state in ["one", "two", "three"] {
            assert_eq!(desk.publish("", Some(state)).0, 200);
        }
        assert_eq!(desk.state(), ["two", "three"]);
        assert_eq!(desk.publications.retain(|user| user != "bob"), ["bob"]);
        assert_eq!((desk.publications.count(), desk.publications.poll_timeout()), (0, None));
    }
}
