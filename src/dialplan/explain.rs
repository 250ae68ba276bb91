//! A decision for people and for programs.

use crate::dialplan::change::Change;
use crate::dialplan::route::{Decision, Step, Target};
use serde_json::{Value, json};

/// Every step on the way to a decision, a line each: how the number was read, each rule and why it did or didn't match,
/// and the targets in the order in which they are tried.
pub fn explain_text(decision: &Decision) -> String {
    let mut text = String::new();
    let mut targets = 0;
    for step in &decision.steps {
        match step {
            Step::Rewritten { number, result, why } if number == result => {
                text.push_str(&format!("number  {number}: {why}\n"));
            }
            Step::Rewritten { number, result, why } => {
                text.push_str(&format!("number  {number} → {result}: {why}\n"));
            }
            Step::Passed { rule, place, why } => text.push_str(&format!("rule    {rule} ({place}): no, {why}\n")),
            Step::Matched { rule, place } => text.push_str(&format!("rule    {rule} ({place}): yes\n")),
            Step::Target { text: target, .. } if target.starts_with("left out") => {
                text.push_str(&format!("target  {target}\n"));
            }
            Step::Target { text: target, .. } => {
                targets += 1;
                text.push_str(&format!("target  {targets}. {target}\n"));
            }
        }
    }
    if decision.route.is_none() {
        text.push_str(&format!("result  no rule takes {}: the call is answered 404\n", decision.number));
    }
    text
}

/// The same for programs.
pub fn explain_json(decision: &Decision) -> Value {
    let route = decision.route.as_ref().map(|route| {
        json!({
            "rule": route.rule,
            "caller": route.caller,
            "targets": route.targets.iter().map(target_json).collect::<Vec<_>>(),
        })
    });
    json!({
        "number": decision.number,
        "route": route,
        "steps": decision.steps.iter().map(step_json).collect::<Vec<_>>(),
    })
}

/// A target in a few words.
pub fn target_text(target: &Target) -> String {
    match target {
        Target::User { name } => format!("user {name}, on all their phones"),
        Target::Trunk { name, number, next_on } if next_on.is_empty() => format!("trunk {name}, number {number}"),
        Target::Trunk { name, number, next_on } => {
            let next_on: Vec<String> = next_on.iter().map(u16::to_string).collect();
            format!("trunk {name}, number {number}; {} lead on too", next_on.join(", "))
        }
        Target::Echo => "echo".to_owned(),
        Target::Conference { name, record: false } => format!("conference {name}"),
        Target::Conference { name, record: true } => format!("conference {name}, recorded"),
        Target::PickUp { user } => format!("pick up what rings at user {user}"),
        Target::Play { file, repeat: false } => format!("play {file}"),
        Target::Play { file, repeat: true } => format!("play {file} until the caller hangs up"),
        Target::Change(change) => change.to_string(),
        Target::Reject { status, reason } if reason.is_empty() => format!("reject {status}"),
        Target::Reject { status, reason } => format!("reject {status}: {reason}"),
    }
}

fn target_json(target: &Target) -> Value {
    match target {
        Target::User { name } => json!({ "user": name }),
        Target::Trunk { name, number, next_on } => json!({ "trunk": name, "number": number, "next_on": next_on }),
        Target::Echo => json!({ "echo": true }),
        Target::Conference { name, record } => json!({ "conference": name, "record": record }),
        Target::PickUp { user } => json!({ "pickup": user }),
        Target::Play { file, repeat } => json!({ "play": file, "repeat": repeat }),
        Target::Change(Change::Forward { when, to, after }) => {
            json!({ "forward": when.as_str(), "number": to, "after_s": after.map(|after| after.as_secs()) })
        }
        Target::Change(Change::DoNotDisturb { on }) => json!({ "do_not_disturb": on }),
        Target::Reject { status, reason } => json!({ "reject": status, "reason": reason }),
    }
}

fn step_json(step: &Step) -> Value {
    match step {
        Step::Rewritten { number, result, why } => {
            json!({ "step": "rewritten", "number": number, "result": result, "why": why })
        }
        Step::Passed { rule, place, why } => json!({ "step": "passed", "rule": rule, "place": place, "why": why }),
        Step::Matched { rule, place } => json!({ "step": "matched", "rule": rule, "place": place }),
        Step::Target { index, text } => json!({ "step": "target", "index": index, "text": text }),
    }
}
