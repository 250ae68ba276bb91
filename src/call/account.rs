//! The people who may register and call: who they are, not where their phones are.

pub mod forwarding;

use crate::call::account::forwarding::Forwarding;
use crate::call::party::Party;
use crate::sip::digest::Hashes;
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    /// E.164 with its plus sign.
    pub number: Option<String>,
    /// ISO 3166-1 alpha-2: how local numbers that this person dials are read.
    pub country: Option<String>,
    pub display_name: Option<String>,
    pub hashes: Hashes,
    pub forwarding: Forwarding,
}

impl Account {
    /// As others are shown this person, who is known by the account.
    pub fn party(&self) -> Party {
        Party {
            user: self.number.clone().unwrap_or_else(|| self.name.clone()),
            host: None,
            display_name: self.display_name.clone(),
            is_asserted: true,
            is_private: false,
        }
    }
}

/// An account in a set of those of different names. Of a million of them the set itself shouldn't take half the memory.
#[derive(Clone, Debug)]
struct Named(Box<Account>);

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Named) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Named {}

impl Borrow<str> for Named {
    fn borrow(&self) -> &str {
        &self.0.name
    }
}

/// All accounts, found by name or by number.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    by_name: HashSet<Named>,
    by_number: HashMap<String, String>,
    md5_only: usize,
}

impl Accounts {
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Accounts {
        let mut all = Accounts::default();
        accounts.into_iter().for_each(|account| all.insert(account));
        all
    }

    /// Takes an account in, in place of one of that name.
    pub fn insert(&mut self, account: Account) {
        self.remove(&account.name);
        if let Some(number) = &account.number {
            self.by_number.insert(number.clone(), account.name.clone());
        }
        self.md5_only += usize::from(account.hashes.ha1_sha256.is_none());
        self.by_name.insert(Named(Box::new(account)));
    }

    pub fn remove(&mut self, name: &str) {
        let Some(Named(gone)) = self.by_name.take(name) else { return };
        self.md5_only -= usize::from(gone.hashes.ha1_sha256.is_none());
        if let Some(number) = &gone.number
            && self.by_number.get(number).is_some_and(|owner| owner == name)
        {
            self.by_number.remove(number);
        }
    }

    pub fn by_name(&self, name: &str) -> Option<&Account> {
        self.by_name.get(name).map(|named| &*named.0)
    }

    /// The account with this name or this number.
    pub fn find(&self, text: &str) -> Option<&Account> {
        self.by_name(text).or_else(|| self.by_name(self.by_number.get(text)?))
    }

    /// A user who isn't known has none.
    pub fn set_forwarding(&mut self, name: &str, forwarding: Forwarding) {
        if let Some(Named(mut account)) = self.by_name.take(name) {
            account.forwarding = forwarding;
            self.by_name.insert(Named(account));
        }
    }

    /// How many have nothing left but an MD5 hash.
    pub fn md5_only(&self) -> usize {
        self.md5_only
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|account| account.name.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.by_name.iter().map(|named| &*named.0)
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, number: &str, ha1_sha256: Option<&str>) -> Account {
        Account {
            name: name.to_owned(),
            number: Some(number.to_owned()),
            country: None,
            display_name: None,
            hashes: Hashes { ha1_md5: Some("00".to_owned()), ha1_sha256: ha1_sha256.map(str::to_owned) },
            forwarding: Forwarding::default(),
        }
    }

    #[test]
    fn an_account_that_changed_is_known_by_what_it_is_now() {
        let mut accounts = Accounts::new([account("bob", "+1", None), account("carol", "+2", Some("11"))]);
        assert_eq!(accounts.md5_only(), 1);
        accounts.insert(account("bob", "+3", Some("11")));
        assert_eq!((accounts.len(), accounts.md5_only()), (2, 0));
        assert!(accounts.find("+1").is_none() && accounts.find("+3").is_some_and(|found| found.name == "bob"));
        // A number that passes from one to the other is the latter's, in whatever order they are read.
        accounts.insert(account("carol", "+3", None));
        accounts.insert(account("bob", "+4", None));
        assert!(accounts.find("+3").is_some_and(|found| found.name == "carol"));
        accounts.remove("carol");
        assert!(accounts.find("+3").is_none() && accounts.find("carol").is_none());
        assert_eq!(accounts.md5_only(), 1);
    }
}
