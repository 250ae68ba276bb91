//! `tandem user`

mod forwarding;

use super::Ground;
use super::client::{Client, Reply, Request, segment};
use super::outcome::{Answer, Failure, Outcome};
use super::screen::{cell, show, show_json, show_table};
use clap::Subcommand;
use forwarding::Forwarding;
use serde_json::{Value, json};
use std::io::BufRead;

/// Add, list and remove users, change their passwords, and where their calls go
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tandem user add carol --number +442079460001 --country GB
  tandem user list")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Add(Add),
    List(List),
    Remove(Remove),
    Password(Password),
    Forwarding(Forwarding),
}

/// Add a user; without a password one is made and shown once
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem user add carol --number +442079460001 --country GB")]
struct Add {
    name: String,
    /// 8 characters or more; `-` reads it from the input
    #[arg(long)]
    password: Option<String>,
    /// The user's number, in E.164: +442079460001
    #[arg(long)]
    number: Option<String>,
    /// In which the user's local numbers are read: GB
    #[arg(long)]
    country: Option<String>,
    /// What called people see beside the number
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Print the user as one JSON object
    #[arg(long)]
    json: bool,
}

/// List all users, those of the configuration file too
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem user list --json")]
struct List {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Remove a user; calls in progress go on
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem user remove carol")]
struct Remove {
    name: String,
}

/// Change a user's password; without one, one is made and shown once
#[derive(clap::Args)]
#[command(after_help = "Example:
  tandem user password carol")]
struct Password {
    name: String,
    /// 8 characters or more; `-` reads it from the input
    #[arg(long)]
    password: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

const HEADINGS: [&str; 6] = ["NAME", "NUMBER", "COUNTRY", "DISPLAY NAME", "FROM", "PASSWORD"];

pub fn run(ground: &Ground, args: Args) -> Outcome {
    let client = Client::new(&ground.settings()?)?;
    let reply = match args.verb {
        Verb::Add(add) => client.ask(Request::Post("users", body_of(&add)?))?.map_yes(|user| added(&user, add.json)),
        Verb::List(list) => client.ask(Request::Get("users", &[]))?.map_yes(|users| listed(&users, list.json)),
        Verb::Remove(Remove { name }) => client
            .ask(Request::Delete(&format!("users/{}", segment(&name))))?
            .map_yes(|_| show(&format!("{name} is removed"))),
        Verb::Password(change) => {
            let path = format!("users/{}/password", segment(&change.name));
            let body = json!({ "password": given(change.password.as_deref())? });
            client.ask(Request::Put(&path, body))?.map_yes(|user| changed(&user, change.json))
        }
        Verb::Forwarding(wanted) => {
            let path = wanted.path();
            client.ask(wanted.request(&path)?)?.map_yes(|answer| forwarding::shown(&answer, wanted.json))
        }
    };
    match reply {
        Ok(()) => Ok(Answer::Yes),
        Err(refused) => {
            refused.complain();
            Ok(Answer::No)
        }
    }
}

impl Reply {
    fn map_yes(self, then: impl FnOnce(Value)) -> Result<(), super::client::Refused> {
        match self {
            Reply::Yes(value) => {
                then(value);
                Ok(())
            }
            Reply::No(refused) => Err(refused),
        }
    }
}

fn body_of(add: &Add) -> Result<Value, Failure> {
    Ok(json!({
        "name": add.name,
        "password": given(add.password.as_deref())?,
        "number": add.number,
        "country": add.country,
        "display_name": add.display_name,
    }))
}

/// The password of the command line, where `-` stands for a line of the input.
fn given(password: Option<&str>) -> Result<Option<String>, Failure> {
    if password != Some("-") {
        return Ok(password.map(str::to_owned));
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| {
        Failure::new(format_args!("can't read the password from the input: {error}; write it there as a line"))
    })?;
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn added(user: &Value, json: bool) {
    if json {
        return show_json(user);
    }
    show(&format!("{} is added", cell(user, "name")));
    show_password(user);
}

fn changed(user: &Value, json: bool) {
    if json {
        return show_json(user);
    }
    show(&format!("the password of {} is changed", cell(user, "name")));
    show_password(user);
}

fn show_password(user: &Value) {
    if let Some(password) = user["password"].as_str() {
        show(&format!("password: {password}   (made now, and shown only here)"));
    }
}

fn listed(answer: &Value, json: bool) {
    let users = answer["users"].as_array().map(Vec::as_slice).unwrap_or_default();
    if json {
        return users.iter().for_each(show_json);
    }
    let row = |user: &Value| {
        let fits = if user["password_fits"] == true { "" } else { "set it anew: the domain has changed" };
        let mut row: Vec<String> =
            ["name", "number", "country", "display_name", "source"].map(|field| cell(user, field)).to_vec();
        row.push(fits.to_owned());
        row
    };
    show_table(&HEADINGS, &users.iter().map(row).collect::<Vec<_>>(), "there are no users");
}
