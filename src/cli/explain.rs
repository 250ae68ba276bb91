//! `tandem explain`

mod record;
mod sound;

use super::outcome::{Answer, Failure, Outcome};
use super::screen::{plain, show, show_json};
use super::{Ground, offline};
use serde_json::json;
use tandem::admin::moment;

use tandem::config::settings::Settings;
use tandem::dialplan::explain::{explain_json, explain_text};
use tandem::dialplan::plan::Plan;
use tandem::dialplan::route::{Caller, Decision, Request, Target};
use tandem::shell::clock::wall;

/// Say what would happen to a call, or what did happen to one
///
/// With --from and --to: every rule tried and why it did or didn't match, each rewriting of the number, the targets in
/// order. Reads the files and places no call. With a call's id: what is in its record.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tandem explain --from alice --to 00442079460000 --at 2026-11-21T09:00Z
  tandem explain 3kfb8wq2m7   (the ids are those of `tandem cdr`)

Exits 1 where the call would be refused, or where there was none of that id.")]
pub struct Args {
    /// A call that was: its id, or the Call-ID of one of its legs
    #[arg(value_name = "CALL-ID", conflicts_with_all = ["from", "to", "at"])]
    id: Option<String>,
    /// Who calls: a user's name or number, trunk:NAME, or a stranger's number or address
    #[arg(long, value_name = "WHO", requires = "to")]
    from: Option<String>,
    /// What is dialled
    #[arg(long, value_name = "NUMBER", requires = "from")]
    to: Option<String>,
    /// When, such as 2026-11-21T09:00Z; now where it isn't given
    #[arg(long, value_name = "TIME", requires = "from")]
    at: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(ground: &Ground, args: &Args) -> Outcome {
    let settings = ground.settings()?;
    match (&args.id, &args.from, &args.to) {
        (Some(id), ..) => record::explain(&settings, id, args.json),
        (None, Some(from), Some(to)) => foretell(&settings, from, to, args),
        _ => Err(Failure::new("explain what? give --from and --to, or a call's id")),
    }
}

/// What would happen to a call.
fn foretell(settings: &Settings, from: &str, to: &str, args: &Args) -> Outcome {
    let at = match &args.at {
        Some(text) => moment::parse(text, wall()).map_err(Failure::new)?,
        None => wall(),
    };
    let plan = Plan::load(settings.dialplan.as_deref(), &offline::plan_context(settings)?)?;
    let (caller, number) = plan.caller(settings, from).map_err(Failure::new)?;
    let decision = plan.explain(&Request { caller, from: &number, to, at });
    let forwards = offline::forwardings(settings, decision.users())?;
    if args.json {
        let mut answer = explain_json(&decision);
        answer["from"] = json!(caller_text(caller, from));
        answer["to"] = json!(to);
        answer["at"] = json!(at.rfc3339());
        let forwards = forwards.iter().map(|(user, forwarding)| tandem::admin::json::forwarding(user, forwarding));
        answer["forwards"] = forwards.collect();
        show_json(&answer);
    } else {
        show(&plain(&format!("{} calls {to} at {}", caller_text(caller, from), at.rfc3339())));
        explain_text(&decision).lines().for_each(|line| show(&plain(line)));
        if let Some(number) = decision.route.as_ref().and_then(|route| route.caller.as_ref()) {
            show(&format!("caller  shown as {}", plain(number)));
        }
        for (user, forwarding) in &forwards {
            for sentence in forwarding.sentences(settings.sip.forward_after) {
                show(&plain(&format!("forward {user}, {sentence}")));
            }
        }
        show("(what each target costs comes with a later release)");
    }
    Ok(if goes_through(&decision) { Answer::Yes } else { Answer::No })
}

fn goes_through(decision: &Decision) -> bool {
    let targets = decision.route.as_ref().map(|route| route.targets.as_slice()).unwrap_or_default();
    targets.first().is_some_and(|target| !matches!(target, Target::Reject { .. }))
}

fn caller_text(caller: Caller<'_>, from: &str) -> String {
    match caller {
        Caller::User { name, number: Some(number), .. } => format!("user {name} ({number})"),
        Caller::User { name, .. } => format!("user {name}"),
        Caller::Trunk { name, .. } => format!("trunk {name}"),
        Caller::Stranger => format!("{from}, a stranger (no user here has that name or number)"),
    }
}
