//! The store of letters, in memory.

use std::collections::BTreeMap;
use tandem::call::letter::{Letter, LetterId, Pile, PostNews, PostOrder};

#[derive(Default)]
pub struct Mailbox {
    pub letters: BTreeMap<LetterId, Letter>,
    /// It takes nothing more.
    pub failing: bool,
    last: i64,
}

impl Mailbox {
    pub fn obey(&mut self, order: PostOrder) -> Option<PostNews> {
        match order {
            PostOrder::Keep { ticket, .. } if self.failing => {
                Some(PostNews::Kept { ticket, result: Err("the disk is full".to_owned()) })
            }
            PostOrder::Keep { ticket, letter } => {
                self.last += 1;
                self.letters.insert(LetterId(self.last), *letter);
                Some(PostNews::Kept { ticket, result: Ok(LetterId(self.last)) })
            }
            PostOrder::Fetch { ticket, user, after, limit, now } => {
                let of_user =
                    |(id, letter): &(&LetterId, &Letter)| letter.to == user && **id > after && letter.expires > now;
                let found = self.letters.iter().filter(of_user).take(limit);
                let result = Ok(found.map(|(id, letter)| (*id, letter.clone())).collect());
                Some(PostNews::Fetched { ticket, result })
            }
            PostOrder::Discard { id } => {
                self.letters.remove(&id);
                None
            }
            PostOrder::Forget { user } => {
                self.letters.retain(|_, letter| letter.to != user);
                None
            }
            PostOrder::Expire { now } => {
                let (stay, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    std::mem::take(&mut self.letters).into_iter().partition(|(_, letter)| letter.expires > now);
                self.letters = stay;
                Some(PostNews::Expired(gone.into_values().map(pile).collect()))
            }
        }
    }

    /// What a gateway is told that starts with this store.
    pub fn census(&self) -> PostNews {
        PostNews::Census(self.letters.values().cloned().map(pile).collect())
    }
}

fn pile(letter: Letter) -> Pile {
    Pile { user: letter.to, letters: 1, bytes: letter.body.len() }
}
