//! Rules that no call reaches, since an earlier one takes all of theirs.

use crate::config::problem::Problems;
use crate::dialplan::rule::{Called, Rule, Source};

/// Reports each rule that an earlier one covers, and names that are given twice.
pub fn report(rules: &[Rule], problems: &Problems) {
    for (i, rule) in rules.iter().enumerate() {
        let before = &rules[..i];
        if let Some(twin) = before.iter().find(|twin| twin.name == rule.name) {
            let what = format!("the rule `{}` has the name of the one at {}", rule.name, twin.place);
            problems.report(&rule.place, what, "give each rule a name of its own");
        }
        if let Some(cover) = before.iter().find(|cover| covers(cover, rule)) {
            let what = format!(
                "the rule `{}` is never reached: `{}` at {} takes all its calls",
                rule.name, cover.name, cover.place
            );
            problems.report(&rule.place, what, "move it up, or remove one");
        }
    }
}

fn covers(one: &Rule, other: &Rule) -> bool {
    let always = match (&one.when, &other.when) {
        (None, _) => true,
        (Some(mine), Some(theirs)) => mine.text() == theirs.text(),
        (Some(_), None) => false,
    };
    let everyone = other.from.iter().all(|theirs| one.from.iter().any(|mine| source_covers(mine, theirs)));
    always && everyone && called_covers(&one.called, &other.called)
}

fn source_covers(mine: &Source, theirs: &Source) -> bool {
    match (mine, theirs) {
        (Source::Anyone, _) | (Source::Users, Source::User(_)) | (Source::Trunks, Source::Trunk(_)) => true,
        (mine, theirs) => mine == theirs,
    }
}

/// Careful: false where it can't be told.
fn called_covers(mine: &Called, theirs: &Called) -> bool {
    match (mine, theirs) {
        (Called::Anything, _) | (Called::User, Called::User) => true,
        (Called::Number(mine), Called::Number(theirs)) => mine.covers(theirs),
        (Called::Number(mine), Called::Regex(_) | Called::User) => mine.text() == "!" || mine.text() == ".",
        (Called::Regex(mine), Called::Regex(theirs)) => mine.as_str() == theirs.as_str(),
        (Called::Address(mine, _), Called::Address(theirs, _)) => {
            mine == "*@*" || mine.to_lowercase() == theirs.to_lowercase()
        }
        _ => false,
    }
}
