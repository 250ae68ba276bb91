//! Letters on their way, and what is known of those that the store keeps for users who are away. `deliver` and `letterbox`
//! say what happens to them.

use crate::base::time::Now;
use crate::call::hop::Hop;
use crate::call::io::Ticket;
use crate::call::letter::{Letter, LetterId, Pile};
use crate::dialplan::route::Target;
use crate::sip::agent::{OutgoingRequest, RequestId, ServerId};
use crate::sip::digest::ClientCredentials;
use crate::sip::registrar::Phone;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// One letter on its way, never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryKey(pub u64);

/// A letter that is being delivered.
pub struct Delivery {
    pub letter: Letter,
    /// The sender who waits for our answer; none for a letter out of the store.
    pub asked: Option<ServerId>,
    /// Whose round it belongs to and what the store calls it.
    pub kept: Option<(String, LetterId)>,
    pub hops: u32,
    /// What the plan says is to be tried next.
    pub targets: VecDeque<Target>,
    /// The one phone that it is for (RFC 5627); none for all of the user.
    pub phone: Option<Phone>,
    /// The user whose phones are being tried.
    pub user: Option<String>,
    /// Phones or trunks that haven't answered.
    pub waiting: usize,
    /// The first user among the targets who couldn't be reached.
    pub away: Option<String>,
    /// The first refusal of somebody who was reached.
    pub refusal: Option<u16>,
}

/// One request that carries a letter.
pub struct Attempt {
    pub delivery: DeliveryKey,
    /// Too large for a datagram, on a way that has nothing else unless the peer takes connections too.
    pub is_large: bool,
    /// What may be sent again; none where nothing could be otherwise then.
    pub again: Option<Box<Again>>,
}

/// A request that may be sent another time.
#[derive(Clone)]
pub struct Again {
    pub request: OutgoingRequest,
    /// The trunk that it is for.
    pub trunk: Option<String>,
    /// In case that the trunk asks for them; of no use a second time.
    pub credentials: Option<ClientCredentials>,
    pub is_signed: bool,
    /// Other ways to the same trunk or phone, tried in turn where one fails.
    pub more: VecDeque<Hop>,
}

/// What the store keeps for one user.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    pub letters: usize,
    pub bytes: usize,
    /// A phone was reached and wanted none of them: only another phone is tried.
    pub refused: bool,
}

/// Kept letters that are being delivered to one user, in order.
#[derive(Default)]
pub struct Round {
    pub letters: VecDeque<(LetterId, Letter)>,
    pub after: LetterId,
}

/// A letter that the store is taking in.
pub struct Keeping {
    pub user: String,
    pub bytes: usize,
    pub asked: Option<ServerId>,
    /// It waits only for those before it.
    pub deliver: bool,
}

#[derive(Default)]
pub struct Post {
    pub deliveries: BTreeMap<DeliveryKey, Delivery>,
    pub attempts: HashMap<RequestId, Attempt>,
    pub held: BTreeMap<String, Held>,
    pub rounds: BTreeMap<String, Round>,
    pub keeping: HashMap<Ticket, Keeping>,
    pub fetching: HashMap<Ticket, String>,
    /// Users for whom another number of letters is kept than before.
    pub changed: Vec<String>,
    /// Users whose phones were told, without having asked, that letters wait.
    pub told: BTreeSet<String>,
    last: u64,
}

impl Post {
    pub fn insert(&mut self, delivery: Delivery) -> DeliveryKey {
        self.last += 1;
        let key = DeliveryKey(self.last);
        self.deliveries.insert(key, delivery);
        key
    }

    /// Makes room for one letter of so many bytes; false where the user has too many already.
    pub fn reserve(&mut self, user: &str, bytes: usize, most_letters: usize, most_bytes: usize) -> bool {
        let held = self.held.get(user).copied().unwrap_or_default();
        if held.letters >= most_letters || held.bytes.saturating_add(bytes) > most_bytes {
            return false;
        }
        self.add(&Pile { user: user.to_owned(), letters: 1, bytes });
        true
    }

    pub fn add(&mut self, pile: &Pile) {
        let held = self.held.entry(pile.user.clone()).or_default();
        held.letters += pile.letters;
        held.bytes += pile.bytes;
        self.changed.push(pile.user.clone());
    }

    pub fn take(&mut self, pile: &Pile) {
        let Some(held) = self.held.get_mut(&pile.user) else { return };
        held.letters = held.letters.saturating_sub(pile.letters);
        held.bytes = held.bytes.saturating_sub(pile.bytes);
        if held.letters == 0 {
            self.held.remove(&pile.user);
        }
        self.changed.push(pile.user.clone());
    }

    /// How many letters are kept for a user.
    pub fn count(&self, user: &str) -> usize {
        self.held.get(user).map_or(0, |held| held.letters)
    }

    /// Letters that the store keeps for all users.
    pub fn stored(&self) -> usize {
        self.held.values().map(|held| held.letters).sum()
    }

    /// What waits for phones, trunks or the store. Zero when no letter is on its way.
    pub fn pending(&self) -> usize {
        self.deliveries.len() + self.keeping.len() + self.fetching.len() + self.attempts.len() + self.rounds.len()
    }
}

/// A letter whose sender waits.
pub struct Posted {
    pub letter: Letter,
    pub asked: ServerId,
    pub hops: u32,
    pub targets: VecDeque<Target>,
    pub phone: Option<Phone>,
}

impl Posted {
    pub fn into_delivery(self) -> Delivery {
        Delivery {
            letter: self.letter,
            asked: Some(self.asked),
            kept: None,
            hops: self.hops,
            targets: self.targets,
            phone: self.phone,
            user: None,
            waiting: 0,
            away: None,
            refusal: None,
        }
    }
}

/// Whether an answer says that nobody was there to say yes or no.
pub fn is_away(status: u16) -> bool {
    matches!(status, 408 | 480) || (500..600).contains(&status) && status != 501 && status != 513
}

/// Whether a letter is too old to be read at `now`.
pub fn is_stale(letter: &Letter, now: Now) -> bool {
    letter.expires <= now.wall
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_room_for_so_many_letters_and_bytes() {
        let mut post = Post::default();
        assert!(post.reserve("bob", 60, 2, 100));
        assert!(!post.reserve("bob", 41, 2, 100), "too many bytes");
        assert!(post.reserve("bob", 40, 2, 100));
        assert!(!post.reserve("bob", 0, 2, 100), "too many letters");
        assert!(post.reserve("carol", 60, 2, 100));
        assert_eq!((post.count("bob"), post.stored()), (2, 3));
        post.take(&Pile { user: "bob".into(), letters: 2, bytes: 100 });
        assert_eq!((post.count("bob"), post.stored()), (0, 1));
        assert!(!post.held.contains_key("bob"));
    }

    #[test]
    fn who_answers_so_was_there() {
        assert!([408, 480, 500, 503, 504].into_iter().all(is_away));
        assert!(![400, 404, 405, 415, 488, 501, 513, 603].into_iter().any(is_away));
    }
}
