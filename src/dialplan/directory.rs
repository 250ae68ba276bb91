//! Whom a plan knows: users by name and by number.

use std::collections::HashMap;

/// What a plan needs to know of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanUser {
    pub name: String,
    /// E.164 with its plus sign.
    pub number: Option<String>,
    /// ISO 3166-1 alpha-2; none for the country of the plan.
    pub country: Option<String>,
}

/// What a plan needs to know of a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanTrunk {
    pub name: String,
    pub country: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Directory {
    users: HashMap<String, PlanUser>,
    by_number: HashMap<String, String>,
}

impl Directory {
    pub fn new(users: impl IntoIterator<Item = PlanUser>) -> Directory {
        let mut directory = Directory::default();
        users.into_iter().for_each(|user| directory.insert(user));
        directory
    }

    /// Takes a user in, in place of one of that name.
    pub fn insert(&mut self, user: PlanUser) {
        self.remove(&user.name);
        if let Some(number) = &user.number {
            self.by_number.insert(number.clone(), user.name.clone());
        }
        self.users.insert(user.name.clone(), user);
    }

    pub fn remove(&mut self, name: &str) {
        let Some(gone) = self.users.remove(name) else { return };
        if let Some(number) = &gone.number
            && self.by_number.get(number).is_some_and(|owner| owner == name)
        {
            self.by_number.remove(number);
        }
    }

    pub fn user(&self, name: &str) -> Option<&PlanUser> {
        self.users.get(name)
    }

    /// The user who has this name or number.
    pub fn dialled(&self, name_or_number: &str) -> Option<&PlanUser> {
        self.user(name_or_number).or_else(|| self.user(self.by_number.get(name_or_number)?))
    }

    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.users.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}
