//! Where a user's calls go when the user doesn't take them, as the store keeps it.

use crate::dialplan::change::{Change, When};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Forwarding {
    /// Numbers as the user would dial them.
    pub always: Option<String>,
    pub busy: Option<String>,
    pub no_answer: Option<String>,
    /// How long the phones ring before; none for the usual time.
    pub after: Option<Duration>,
    /// No phone rings.
    pub do_not_disturb: bool,
}

impl Forwarding {
    /// The same after a change.
    pub fn with(&self, change: &Change) -> Forwarding {
        let mut new = self.clone();
        match change {
            Change::Forward { when: When::Always, to, .. } => new.always.clone_from(to),
            Change::Forward { when: When::Busy, to, .. } => new.busy.clone_from(to),
            Change::Forward { when: When::NoAnswer, to, after } => {
                new.no_answer.clone_from(to);
                new.after = *after;
            }
            Change::DoNotDisturb { on } => new.do_not_disturb = *on,
        }
        new
    }

    /// What becomes of a call, for people: the first that applies first. `usually_after` is how long phones ring where the
    /// user set no time.
    pub fn sentences(&self, usually_after: Duration) -> Vec<String> {
        let after = self.after.unwrap_or(usually_after).as_secs();
        let to = |when: &str, to: &Option<String>| to.as_ref().map(|to| format!("{when}: to {to}"));
        let disturb = match (&self.busy, self.do_not_disturb) {
            (_, false) => None,
            (Some(to), true) => Some(format!("not to be disturbed: to {to}, as when busy")),
            (None, true) => Some("not to be disturbed: answered 480".to_owned()),
        };
        let all = [
            to("always", &self.always),
            disturb,
            to("when busy", &self.busy),
            to(&format!("when nobody answers for {after} s, or no phone is there"), &self.no_answer),
        ];
        all.into_iter().flatten().collect()
    }

    /// Whether calls simply ring.
    pub fn is_off(&self) -> bool {
        *self == Forwarding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_in_the_order_in_which_it_applies() {
        let usually = Duration::from_secs(20);
        assert!(Forwarding::default().sentences(usually).is_empty());
        let quiet = Forwarding { do_not_disturb: true, ..Forwarding::default() };
        assert_eq!(quiet.sentences(usually), ["not to be disturbed: answered 480"]);
        let all = Forwarding {
            always: Some("1".to_owned()),
            busy: Some("2".to_owned()),
            no_answer: Some("3".to_owned()),
            ..quiet
        };
        assert_eq!(
            all.sentences(usually),
            [
                "always: to 1",
                "not to be disturbed: to 2, as when busy",
                "when busy: to 2",
                "when nobody answers for 20 s, or no phone is there: to 3"
            ]
        );
    }

    #[test]
    fn each_change_touches_its_own() {
        let forward = |when, to: Option<&str>, after| Change::Forward { when, to: to.map(str::to_owned), after };
        let after = Some(Duration::from_secs(30));
        let all = Forwarding::default()
            .with(&forward(When::Always, Some("1"), None))
            .with(&forward(When::Busy, Some("2"), None))
            .with(&forward(When::NoAnswer, Some("3"), after))
            .with(&Change::DoNotDisturb { on: true });
        assert_eq!((all.always.as_deref(), all.busy.as_deref()), (Some("1"), Some("2")));
        assert_eq!((all.no_answer.as_deref(), all.after, all.do_not_disturb), (Some("3"), after, true));
        let none = all
            .with(&forward(When::Always, None, None))
            .with(&forward(When::Busy, None, None))
            .with(&forward(When::NoAnswer, None, None))
            .with(&Change::DoNotDisturb { on: false });
        assert!(none.is_off() && !all.is_off());
    }
}
