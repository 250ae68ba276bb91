//! Letters that the store keeps: taken in for users who are away, and delivered in their order once a phone is there.

use crate::base::time::Now;
use crate::call::exchange::{Exchange, Timer};
use crate::call::io::{Output, Ticket};
use crate::call::letter::post::{Delivery, Keeping, Round, is_stale};
use crate::call::letter::{Letter, LetterId, Pile, PostNews, PostOrder};
use crate::dialplan::route::Target;
use crate::sip::agent::ServerId;
use crate::sip::flow::Headers;
use std::collections::VecDeque;
use std::time::Duration;

/// How many letters are read at once.
const BATCH: usize = 16;
/// How often what has expired is forgotten.
const SWEEP: Duration = Duration::from_secs(3_600);
/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS: u32 = 70;

impl Exchange {
    /// Gives a letter to the store; the sender is answered 202 once it is there (RFC 3428 §7).
    pub fn keep_letter(&mut self, now: Now, user: String, letter: Letter, asked: ServerId) {
        let limits = &self.settings.limits;
        let bytes = letter.body.len();
        if !self.post.reserve(&user, bytes, limits.stored_messages, limits.stored_message_bytes) {
            return self.agent.respond(now, asked, 480, "Mailbox Full", Headers::new(), None);
        }
        let ticket = self.new_ticket();
        let letter = Box::new(Letter { to: user.clone(), ..letter });
        let deliver = self.post.rounds.contains_key(&user);
        self.post.keeping.insert(ticket, Keeping { user, bytes, asked: Some(asked), deliver });
        self.order(PostOrder::Keep { ticket, letter });
        if self.timers.deadline(Timer::Sweep).is_none() {
            self.timers.set(Timer::Sweep, now.time + SWEEP);
        }
    }

    /// A phone of a user is there: `fresh` where it wasn't before.
    pub fn user_arrived(&mut self, now: Now, user: &str, fresh: bool) {
        let Some(held) = self.post.held.get_mut(user) else { return };
        held.refused &= !fresh;
        if !held.refused {
            self.start_round(now, user);
        }
    }

    pub fn post_news(&mut self, now: Now, news: PostNews) {
        match news {
            PostNews::Census(piles) => self.take_census(now, piles),
            PostNews::Kept { ticket, result } => self.kept(now, ticket, result),
            PostNews::Fetched { ticket, result } => self.fetched(now, ticket, result),
            PostNews::Expired(piles) => piles.iter().for_each(|pile| self.post.take(pile)),
        }
    }

    /// Forgets what has expired, now and then for as long as anything is kept.
    pub fn sweep_letters(&mut self, now: Now) {
        if !self.post.held.is_empty() {
            self.order(PostOrder::Expire { now: now.wall });
            self.timers.set(Timer::Sweep, now.time + SWEEP);
        }
    }

    /// What was kept for a user who is gone must not reach the next one of that name.
    pub fn forget_letters(&mut self) {
        let gone: Vec<String> =
            self.post.held.keys().filter(|user| self.accounts.by_name(user).is_none()).cloned().collect();
        for user in gone {
            self.post.held.remove(&user);
            self.post.told.remove(&user);
            self.end_round(&user);
            self.order(PostOrder::Forget { user });
        }
    }

    /// A letter of a round was taken: the next one.
    pub fn delivered_out_of_store(&mut self, now: Now, user: &str, id: LetterId, letter: &Letter) {
        self.discard(user, id, letter);
        self.go_on(now, user);
    }

    /// A letter of a round was not taken: the next one may be, unless nobody is there.
    pub fn left_in_store(&mut self, now: Now, user: &str, refused: bool) {
        if !refused {
            return self.end_round(user);
        }
        if let Some(held) = self.post.held.get_mut(user) {
            held.refused = true;
        }
        self.go_on(now, user);
    }

    fn take_census(&mut self, now: Now, piles: Vec<Pile>) {
        for pile in &piles {
            self.post.add(pile);
        }
        self.forget_letters();
        if !self.post.held.is_empty() {
            self.timers.set(Timer::Sweep, now.time);
        }
        // Phones that were quicker than the count.
        for Pile { user, .. } in piles {
            if !self.registrar.bindings(now, &user).is_empty() {
                self.user_arrived(now, &user, true);
            }
        }
    }

    fn kept(&mut self, now: Now, ticket: Ticket, result: Result<LetterId, String>) {
        let Some(Keeping { user, bytes, asked, deliver }) = self.post.keeping.remove(&ticket) else { return };
        let status = match result {
            Ok(id) if self.accounts.by_name(&user).is_none() => {
                self.order(PostOrder::Discard { id });
                404
            }
            Ok(_) => 202,
            Err(_) => {
                self.post.take(&Pile { user: user.clone(), letters: 1, bytes });
                500
            }
        };
        if let Some(asked) = asked {
            self.agent.respond(now, asked, status, "", Headers::new(), None);
        }
        if deliver && status == 202 {
            self.start_round(now, &user);
        }
    }

    fn start_round(&mut self, now: Now, user: &str) {
        if self.post.count(user) > 0 && !self.post.rounds.contains_key(user) {
            self.post.rounds.insert(user.to_owned(), Round::default());
            self.go_on(now, user);
        }
    }

    /// The next letter of a round, read when there is none at hand; the round ends where the store has no more.
    fn go_on(&mut self, now: Now, user: &str) {
        let Some(round) = self.post.rounds.get_mut(user) else { return };
        let Some((id, letter)) = round.letters.pop_front() else {
            let (user, after) = (user.to_owned(), round.after);
            let ticket = self.new_ticket();
            self.post.fetching.insert(ticket, user.clone());
            return self.order(PostOrder::Fetch { ticket, user, after, limit: BATCH, now: now.wall });
        };
        round.after = id;
        if is_stale(&letter, now) {
            self.discard(user, id, &letter);
            return self.go_on(now, user);
        }
        let key = self.post.insert(Delivery {
            letter,
            asked: None,
            kept: Some((user.to_owned(), id)),
            hops: MAX_FORWARDS,
            targets: VecDeque::from([Target::User { name: user.to_owned() }]),
            phone: None,
            user: None,
            waiting: 0,
            away: None,
            refusal: None,
        });
        self.deliver(now, key);
    }

    fn fetched(&mut self, now: Now, ticket: Ticket, result: Result<Vec<(LetterId, Letter)>, String>) {
        let Some(user) = self.post.fetching.remove(&ticket) else { return };
        let Some(round) = self.post.rounds.get_mut(&user) else { return };
        match result {
            Ok(letters) if !letters.is_empty() => {
                round.letters.extend(letters);
                self.go_on(now, &user);
            }
            _ => self.end_round(&user),
        }
    }

    /// What is left when a round is over waits for another phone.
    fn end_round(&mut self, user: &str) {
        self.post.rounds.remove(user);
        self.post.changed.push(user.to_owned());
    }

    fn discard(&mut self, user: &str, id: LetterId, letter: &Letter) {
        self.post.take(&Pile { user: user.to_owned(), letters: 1, bytes: letter.body.len() });
        self.order(PostOrder::Discard { id });
    }

    fn order(&mut self, order: PostOrder) {
        self.outputs.push_back(Output::Post(order));
    }
}
